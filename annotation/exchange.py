"""Export, import and aggregate ratings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from annotation.collect import collect_ratings, read_store
from annotation.label_studio import read_tasks, to_tasks
from annotation.manifest import MANIFEST_FILE, RATINGS_FILE, Pair, read_manifest
from annotation.raters import clean_name, same_name
from annotation.store import ID, Event, Store
from pipelines.ratings.aggregation import aggregate, aggregated_csv, located
from pipelines.ratings.reliability import judge_raters
from pipelines.ratings.table import Rating, read_rows, to_csv
from trigger.errors import DataError, OptionError
from trigger.files import write_atomically


@dataclass(frozen=True)
class Added:
    """What became of the answers that :func:`add_ratings` was given.

    Attributes:
        saved: added now.
        known: there already.
        undone: there already, but the rater has taken them back since.
        refused: not added: rater, pair and why.
    """

    saved: int
    known: int
    undone: int
    refused: list[str]


def export_ratings(pairs: Path, out: Path) -> int:
    """Write what was rated in the browser.

    Args:
        pairs: PAIRS.
        out: a .csv, or a .json for tasks of Label Studio.

    Returns:
        The number of answers.

    Raises:
        DataError: nobody has rated there, or ``out`` cannot be written.
        OptionError: ``out`` ends otherwise.

    Example:
        >>> export_ratings(Path("pairs"), Path("ratings.csv"))  # doctest: +SKIP
        412
    """
    kind = out.suffix.lower()
    if kind not in (".csv", ".json"):
        raise OptionError(f"--out is {out}; it ends in .csv or .json")
    rows = read_store(pairs)
    if kind == ".json":
        tasks = to_tasks(rows, read_manifest(pairs).pairs)
        content = f"{json.dumps(tasks, indent=1, ensure_ascii=False)}\n".encode()
    else:
        content = to_csv(rows)
    write_atomically(out, content)
    return len(rows)


def import_ratings(
    file: Path,
    columns: Mapping[str, str] | None = None,
    words: Mapping[str, int] | None = None,
) -> list[Rating]:
    """Read other people's ratings.

    Args:
        file: a ratings CSV, or a .json that Label Studio exported (JSON or JSON-MIN).
        columns: their name of a column by ours.
        words: our rating by their word, in lower case.

    Returns:
        The answers, with absolute paths.

    Raises:
        DataError: the file is no such table, or rows are wrong.

    Example:
        >>> rows = import_ratings(Path("crowd.csv"), {"rating": "verdict"})  # doctest: +SKIP
        >>> Path("ratings.csv").write_bytes(to_csv(rows))  # doctest: +SKIP
    """
    read = read_tasks if file.suffix.lower() == ".json" else read_rows
    return located(file, read(file, columns, words))


def add_ratings(pairs: Path, rows: Sequence[Rating]) -> Added:
    """Add answers to those given in the browser; adding the same ones twice is harmless.

    Args:
        pairs: PAIRS.
        rows: answers to its pairs.

    Raises:
        DataError: an answer does not fit the pairs; then none is added.

    Example:
        >>> rows = read_rows(Path("crowd.csv"))  # doctest: +SKIP
        >>> add_ratings(Path("pairs"), rows).saved  # doctest: +SKIP
        120
    """
    known = {pair.pair: pair for pair in read_manifest(pairs).pairs}
    for row in rows:
        _check(row, known, pairs)
    events = [_event(row) for row in rows]
    store = Store(pairs / RATINGS_FILE)
    try:
        raters = _spelled([(row.pair, row.rater) for row in rows], store.raters())
        outcomes = store.record_all(list(zip(raters, events, strict=True)))
        current = {event.id for _, event in store.current_answers()}
    finally:
        store.close()
    there = [outcome.id in current for outcome in outcomes if outcome.status == "known"]
    return Added(
        saved=sum(outcome.status == "saved" for outcome in outcomes),
        known=there.count(True),
        undone=there.count(False),
        refused=[
            f"{row.rater}, pair {row.pair}: {outcome.reason}"
            for row, outcome in zip(rows, outcomes, strict=True)
            if outcome.status == "refused"
        ],
    )


def aggregate_ratings(sources: Sequence[Path], out: Path) -> int:
    """Write one row per pair: mean rating, majority, reliability.

    Args:
        sources: ratings CSVs and pairs folders.
        out: the CSV to write.

    Returns:
        The number of rated pairs.

    Example:
        >>> sources = [Path("pairs"), Path("crowd.csv")]
        >>> aggregate_ratings(sources, Path("aggregated.csv"))  # doctest: +SKIP
        183
    """
    rows = collect_ratings(sources)
    pairs = aggregate(rows, judge_raters(rows))
    write_atomically(out, aggregated_csv(pairs))
    return len(pairs)


def _check(row: Rating, known: Mapping[str, Pair], folder: Path) -> None:
    pair = known.get(row.pair)
    if pair is None:
        raise DataError(f"pair {row.pair!r} is not in {folder}/{MANIFEST_FILE}")
    if row.repeat > pair.repeat:
        raise DataError(
            f"pair {row.pair!r}: repeat is {row.repeat}, but it is shown {1 + pair.repeat} times, "
            "which count from 0"
        )
    if not row.time:
        raise DataError(f"pair {row.pair!r}: a time is needed to add an answer")


def _spelled(answers: Sequence[tuple[str, str]], known: Sequence[str]) -> list[str]:
    """Return the rater of each (pair, rater), spelled as in earlier answers."""
    spelled = list(known)
    names = []
    for pair, rater in answers:
        try:
            names.append(same_name(clean_name(rater), spelled))
        except ValueError as error:
            raise DataError(f"pair {pair!r}: rater is {rater!r}; {error}") from error
        if names[-1] not in spelled:
            spelled.append(names[-1])
    return names


def _event(row: Rating) -> Event:
    # Without an id of its own, one made of its content makes adding it twice harmless.
    made = hashlib.sha256(repr(replace(row, path="")).encode()).hexdigest()
    try:
        return Event(
            id=row.id if ID.fullmatch(row.id) else made,
            kind="answer",
            pair=row.pair,
            repeat=row.repeat,
            time=row.time,
            rating=row.rating,
            skip=row.skip,
            seconds=row.seconds,
            view=row.view,
        )
    except ValueError as error:
        raise DataError(f"answer {row.id!r} to pair {row.pair!r}: {error}") from error
