"""What photos were made from: the record that lies beside photos that the project's commands made.

Its columns: photo (SHA-256 of its content), path (within the folder), scene (SHA-256 of the
original), source (the original's name), kind and factors (JSON) of the degradation.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import pandas as pd

from trigger.errors import DataError
from trigger.files import resolved, write_atomically
from trigger.photo import find_photos

RECORD = "degradations.csv"
UNFINISHED = ".unfinished"  # hidden: no command takes what lies there for photos
COLUMNS = ["photo", "path", "scene", "source", "kind", "factors"]
Row = dict[str, str]


def photos_outside(folder: Path, paths: Iterable[Path]) -> list[Path]:
    """Photos that ``paths`` name or hold, each once, but for what lies in the folder to write to.

    Args:
        folder: where others will be made from these; what a former run made there is no original.
        paths: photos or folders of them.
    """
    found = {resolved(path): path for path in find_photos(paths)}
    inside = resolved(folder)
    return [path for target, path in found.items() if not target.is_relative_to(inside)]


def record_rows(folder: Path) -> list[Row]:
    """The record of a folder, to add to; empty where nothing is recorded.

    Raises:
        DataError: the record is there but cannot be read.
    """
    return cast("list[Row]", _read(folder, COLUMNS).to_dict("records"))


def begin_unfinished(folder: Path) -> Path:
    """The empty folder for photos in the making; what a run that was killed left there goes."""
    unfinished = folder / UNFINISHED
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    return unfinished


def put_in_place(folder: Path, known: Sequence[Row], made: Sequence[Row]) -> None:
    """Record photos that ``begin_unfinished`` made room for, and move them into the folder.

    Rows first, and those of photos about to be replaced last: whenever this is killed, no photo
    lies in the folder without its row, which would count as a scene of its own in training.

    Args:
        folder: of the photos.
        known: what ``record_rows`` says of it.
        made: rows of all that lies in ``folder/UNFINISHED``, each path once.
    """
    unfinished = folder / UNFINISHED
    _write_record(folder, [*known, *made])
    for row in made:
        (unfinished / row["path"]).replace(folder / row["path"])
    _write_record(folder, one_each([*known, *made]))
    unfinished.rmdir()


def _write_record(folder: Path, rows: Sequence[Row]) -> None:
    table = pd.DataFrame(rows, columns=COLUMNS)
    # Quoted, since names of files may hold any sort of line end.
    text = table.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)
    write_atomically(folder / RECORD, text.encode())


def one_each(rows: Iterable[Row]) -> list[Row]:
    """The last row of each path, in the order in which paths came up first."""
    return list({row["path"]: row for row in rows}.values())


def read_record(folder: Path) -> pd.DataFrame:
    """Scene and kind of each degraded photo in a folder, indexed by photo hash.

    Empty where nothing is recorded.

    Raises:
        DataError: the record is there but cannot be read.
    """
    # A degradation can leave a photo as it was; the first record then stands for both.
    return _read(folder, ["photo", "scene", "kind"]).drop_duplicates("photo").set_index("photo")


def _read(folder: Path, columns: list[str]) -> pd.DataFrame:
    path = folder / RECORD
    if not path.is_file():
        return pd.DataFrame(columns=columns, dtype=str)
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)[columns]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path}: not a record of what photos were made from ({error}); delete the folder and "
            "make its photos again, or write to another folder"
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
