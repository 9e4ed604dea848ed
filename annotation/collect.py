"""Read the answers of several ratings CSVs and pairs folders as one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from annotation.manifest import RATINGS_FILE, read_manifest
from annotation.store import Store, ratings_of
from pipelines.ratings.aggregation import located
from pipelines.ratings.table import Rating, read_rows
from trigger.errors import DataError

_Key = tuple[object, ...]


def collect_ratings(sources: Sequence[Path]) -> list[Rating]:
    """Return all answers of several CSVs and pairs folders; the same answer twice counts once.

    Raises:
        DataError: a source cannot be read, nothing has been rated, or two sources have different
            answers of one name.

    Example:
        >>> rows = collect_ratings([Path("pairs"), Path("crowd.csv")])  # doctest: +SKIP
    """
    rows: list[Rating] = []
    seen: dict[_Key, tuple[Path, Rating]] = {}
    for source in sources:
        found = read_store(source) if source.is_dir() else located(source, read_rows(source))
        rows += [row for row in found if _is_new(row, source, seen)]
    if not rows:
        raise DataError(f"{', '.join(map(str, sources))}: nothing has been rated yet")
    return rows


def read_store(folder: Path) -> list[Rating]:
    """Return the answers that were given in the browser.

    Raises:
        DataError: it is no pairs folder, or nobody has rated there.
    """
    manifest = read_manifest(folder)
    if not (folder / RATINGS_FILE).is_file():
        raise DataError(f"{folder} has not been rated yet; start with: trigger annotate {folder}")
    store = Store(folder / RATINGS_FILE)
    try:
        return ratings_of(store, manifest.pairs)
    finally:
        store.close()


def _is_new(row: Rating, source: Path, seen: dict[_Key, tuple[Path, Rating]]) -> bool:
    """Whether no earlier source has this answer; notes it by its id and by who gave it."""
    answer = replace(row, path="")  # the photo's path depends on where the CSV is
    names: dict[_Key, str] = {}
    if row.id:
        names[row.id,] = (
            f"id {row.id!r} has other content there; if both hold the same answers, give only "
            f"one, and if both merely number their rows, delete the column 'id' in one of them"
        )
    if row.rater:
        names[row.rater, row.pair, row.repeat] = (
            f"{row.rater!r} has another answer to pair {row.pair!r} there; delete one of the two, "
            f"number second showings in the column 'repeat', or distinguish two people of one "
            f"name in the column 'rater'"
        )
    known = False
    for name, problem in names.items():
        if name not in seen:
            seen[name] = source, answer
        elif seen[name][1] == answer:
            known = True
        else:
            raise DataError(f"{source} and {seen[name][0]} cannot be combined: {problem}")
    return not known
