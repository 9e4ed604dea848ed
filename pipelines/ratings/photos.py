"""Rated photos whose files exist."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipelines.data.available import report_missing
from pipelines.data.provenance import origins_of
from pipelines.data.tables import check_path
from pipelines.ratings.aggregation import read_rated_pairs
from trigger.errors import PhotoError
from trigger.photo import photo_hash, read_photo_bytes, read_same_photo
from trigger.threads import default_workers, map_in_order

RATED_REMEDY = "Put them back, correct the column 'path', or remove their rows"


def read_rated(path: Path) -> pd.DataFrame:
    """Read the rated photos of a CSV whose files exist, as :func:`rated_photos` does.

    Raises:
        DataError: as :func:`rated_photos`, or more than a tenth of the photos are missing.

    Example:
        >>> read_rated(Path("ratings.csv"))["rating"].mean()  # doctest: +SKIP
        0.84
    """
    table, missing = rated_photos(path)
    report_missing(path, missing, len(table) + len(missing), RATED_REMEDY)
    return table


def rated_photos(path: Path) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """Read the rated pairs of a CSV, raw or aggregated, whose photos exist.

    Returns:
        One row per such pair, numbered from 0, ``AGGREGATED_COLUMNS``: photo (SHA-256), path
        (absolute, str), rating (float, -1..2), weight (float, 0..1), scene (str; where none is
        given what the photo was made from by record, else the SHA-256 of the photo, as in
        labels), ... Also the path of each other pair, with what is wrong: its photo is missing,
        unreadable, or not what was rated.

    Raises:
        DataError: as ``read_rated_pairs``, or a photo is named otherwise than in UTF-8.

    Example:
        >>> table, missing = rated_photos(Path("ratings.csv"))  # doctest: +SKIP
        >>> table[["path", "rating", "weight"]]  # doctest: +SKIP
    """
    pairs = read_rated_pairs(path)
    for pair in pairs:
        check_path(pair.path)
    table = pd.DataFrame([vars(pair) for pair in pairs])
    named = zip(table["path"], table["photo"], strict=True)
    found = list(map_in_order(lambda pair: _identify(*pair), named, default_workers()))
    problems = [
        (place or "(no path given)", identity.message)
        for place, identity in zip(table["path"], found, strict=True)
        if isinstance(identity, PhotoError)
    ]
    table["photo"] = [identity if isinstance(identity, str) else "" for identity in found]
    table = table[table["photo"] != ""].reset_index(drop=True)
    unnamed = table[table["scene"] == ""]
    if len(unnamed):
        table.loc[unnamed.index, "scene"] = origins_of(unnamed)["scene"]
    return table, problems


def _identify(path: str, photo: str) -> str | PhotoError:
    """Return the hash of a rated photo; an error where it is none or not the one rated."""
    try:
        if not photo:
            return photo_hash(read_photo_bytes(path))
        read_same_photo(path, photo)
    except PhotoError as error:
        return error
    return photo
