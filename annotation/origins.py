"""What photos were made from: the record that ``trigger degrade`` leaves beside its photos."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from trigger.errors import DataError

RECORD = "degradations.csv"


def read_record(folder: Path) -> pd.DataFrame:
    """Scene and kind of each degraded photo in a folder, indexed by photo hash.

    Empty where nothing is recorded.

    Raises:
        DataError: the record is there but cannot be read.
    """
    path = folder / RECORD
    if not path.is_file():
        return pd.DataFrame(columns=["scene", "kind"])
    try:
        table = pd.read_csv(path, dtype=str)
        # A degradation can leave a photo as it was; the first record then stands for both.
        return table.drop_duplicates("photo").set_index("photo")[["scene", "kind"]]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path}: not a record that 'trigger degrade' wrote ({error}); delete the folder and "
            "degrade again"
        ) from error


def origins_of(photos: pd.DataFrame) -> pd.DataFrame:
    """Scene and kind of each photo: as recorded beside one of them, else itself, as found.

    Args:
        photos: columns photo (SHA-256 of its content) and path.

    Returns:
        Columns scene and kind, with the index of ``photos``.

    Raises:
        DataError: a record cannot be read.
    """
    folders = sorted({str(Path(path).parent) for path in photos["path"]})
    record = pd.concat([read_record(Path(folder)) for folder in folders])
    record = record[~record.index.duplicated()]
    origins = record.reindex(photos["photo"]).set_index(photos.index)
    return origins.fillna({"kind": "as found"}).assign(
        scene=origins["scene"].fillna(photos["photo"])
    )
