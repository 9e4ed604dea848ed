"""Provenance of photos that commands made: the record degradations.csv in their folder.

Its columns: photo (SHA-256 of its content), path (within the folder), scene (SHA-256 of the
original), source (the original's name), kind and factors (JSON) of the degradation.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import pandas as pd

from pipelines.data.tables import csv_bytes, read_frame
from trigger.errors import DataError
from trigger.files import resolved, write_atomically
from trigger.photo import find_photos

RECORD = "degradations.csv"
UNFINISHED = ".unfinished"  # hidden, so that no command lists its photos
COLUMNS = ["photo", "path", "scene", "source", "kind", "factors"]
Row = dict[str, str]


def photos_outside(folder: Path, paths: Iterable[Path]) -> list[Path]:
    """Find photos to make others from, each once, except those in the output folder.

    Args:
        folder: the output; photos that an earlier run made there are no originals.
        paths: photos or folders of them.
    """
    found = {resolved(path): path for path in find_photos(paths)}
    inside = resolved(folder)
    return [path for target, path in found.items() if not target.is_relative_to(inside)]


def record_rows(folder: Path) -> list[Row]:
    """Return the record of a folder, to add to; empty where nothing is recorded.

    Raises:
        DataError: the record is there but cannot be read.
    """
    return cast("list[Row]", _read(folder, COLUMNS).to_dict("records"))


def begin_unfinished(folder: Path) -> Path:
    """Return an empty staging folder, discarding what a killed run left there."""
    unfinished = folder / UNFINISHED
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    return unfinished


def put_in_place(folder: Path, known: Sequence[Row], made: Sequence[Row]) -> None:
    """Record the photos in the staging folder and move them to their place.

    The record is written first, and rows of replaced photos are removed last: whenever this is
    killed, no photo in the folder lacks its row and counts as a scene of its own in training.

    Args:
        folder: of the photos.
        known: rows of :func:`record_rows`.
        made: rows of all photos in ``folder/UNFINISHED``, each path once.
    """
    unfinished = folder / UNFINISHED
    _write_record(folder, [*known, *made])
    for row in made:
        (unfinished / row["path"]).replace(folder / row["path"])
    _write_record(folder, one_each([*known, *made]))
    unfinished.rmdir()


def _write_record(folder: Path, rows: Sequence[Row]) -> None:
    cells = ([row[column] for column in COLUMNS] for row in rows)
    write_atomically(folder / RECORD, csv_bytes(COLUMNS, cells))


def one_each(rows: Iterable[Row]) -> list[Row]:
    """The last row of each path, in the order in which paths came up first."""
    return list({row["path"]: row for row in rows}.values())


def read_record(folder: Path) -> pd.DataFrame:
    """Scene and kind of each degraded photo in a folder, indexed by photo hash.

    Empty where nothing is recorded.

    Raises:
        DataError: the record is there but cannot be read.
    """
    # A degradation can leave a photo unchanged; the first row then serves for both.
    return _read(folder, ["photo", "scene", "kind"]).drop_duplicates("photo").set_index("photo")


def _read(folder: Path, columns: list[str]) -> pd.DataFrame:
    path = folder / RECORD
    if not path.is_file():
        return pd.DataFrame(columns=columns, dtype=str)
    try:
        return read_frame(path)[columns]
    except (DataError, KeyError) as error:
        raise DataError(
            f"{path}: not a record of what photos were made from ({error}); delete the folder and "
            "make its photos again, or write to another folder"
        ) from error


def read_records(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Read the records of the folders of these photos, each photo once.

    Args:
        paths: of at least one photo.

    Raises:
        DataError: a record cannot be read.
    """
    folders = sorted({Path(path).parent for path in paths})
    record = pd.concat([read_record(folder) for folder in folders])
    return record[~record.index.duplicated()]


def origins_of(photos: pd.DataFrame) -> pd.DataFrame:
    """Return scene and kind of each photo: as recorded in its folder, else itself, "as found".

    Args:
        photos: columns photo (SHA-256 of its content) and path.

    Returns:
        Columns scene and kind, with the index of ``photos``.

    Raises:
        DataError: a record cannot be read.

    Example:
        >>> labels = read_labels("labels")  # doctest: +SKIP
        >>> labels.join(origins_of(labels)).groupby("kind")["delta"].mean()  # doctest: +SKIP
    """
    origins = read_records(photos["path"]).reindex(photos["photo"]).set_index(photos.index)
    return origins.fillna({"kind": "as found"}).assign(
        scene=origins["scene"].fillna(photos["photo"])
    )
