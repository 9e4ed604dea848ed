"""What photos were made from: the record that ``trigger degrade`` leaves beside its photos."""

from __future__ import annotations

from collections.abc import Iterable
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


def read_records(paths: Iterable[str | Path]) -> pd.DataFrame:
    """What ``read_record`` says of the folders of these photos, each photo once.

    Args:
        paths: of at least one photo.

    Raises:
        DataError: a record cannot be read.
    """
    folders = sorted({Path(path).parent for path in paths})
    record = pd.concat([read_record(folder) for folder in folders])
    return record[~record.index.duplicated()]


def origins_of(photos: pd.DataFrame) -> pd.DataFrame:
    """Scene and kind of each photo: as recorded beside one of them, else itself, as found.

    Args:
        photos: columns photo (SHA-256 of its content) and path.

    Returns:
        Columns scene and kind, with the index of ``photos``.

    Raises:
        DataError: a record cannot be read.
    """
    origins = read_records(photos["path"]).reindex(photos["photo"]).set_index(photos.index)
    return origins.fillna({"kind": "as found"}).assign(
        scene=origins["scene"].fillna(photos["photo"])
    )
