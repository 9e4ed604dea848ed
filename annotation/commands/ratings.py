"""``trigger ratings``: sum up, export, import and combine ratings."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from pathlib import Path

from annotation.label_studio import CHOICES, FIELDS, read_tasks, to_tasks
from annotation.manifest import MANIFEST_FILE, RATINGS_FILE, read_manifest
from annotation.raters import clean_name, same_name
from annotation.store import ID, Event, Store, ratings_of
from annotation.summary import summary_text
from pipelines.ratings.aggregation import AGGREGATED_COLUMNS, aggregate, judge_raters, located
from pipelines.ratings.table import COLUMNS, Rating, csv_bytes, parse_words, read_rows, to_csv
from trigger.cli.options import check_output
from trigger.errors import DataError, OptionError
from trigger.files import write_atomically

SHOWN_REFUSALS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommands of ``trigger ratings``."""
    parser.description = "Sum up, export, import and combine ratings of before/after pairs."
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    summary = actions.add_parser("summary", help="counts, agreement, raters, disputed pairs")
    _add_sources(summary)
    summary.add_argument("--plot", type=Path, metavar="PNG", help="draw it, too")

    export = actions.add_parser("export", help="write what was rated in the browser")
    export.add_argument("pairs", type=Path, metavar="PAIRS", help="folder that was annotated")
    export.add_argument(
        "--out", type=Path, required=True, help=".csv, or .json for tasks of Label Studio"
    )

    bring = actions.add_parser(
        "import", help="read other people's ratings: a CSV, or JSON of Label Studio"
    )
    bring.add_argument("file", type=Path, metavar="FILE", help=".csv or .json")
    target = bring.add_mutually_exclusive_group(required=True)
    target.add_argument("--out", type=Path, metavar="CSV", help="ratings CSV to write")
    target.add_argument("--into", type=Path, metavar="PAIRS", help="pairs folder to add them to")
    bring.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="OURS=THEIRS",
        help=f"their name of a column; ours are {', '.join(COLUMNS)}. Of Label Studio: of a data "
        f"field ({', '.join(FIELDS)}) or a choice ({', '.join(CHOICES)})",
    )
    bring.add_argument(
        "--word",
        action="append",
        default=[],
        metavar="WORD=RATING",
        help="what a word of theirs means, such as 'much better=2'",
    )

    combine = actions.add_parser("aggregate", help="one row per pair: mean, majority, weight")
    _add_sources(combine)
    combine.add_argument("--out", type=Path, required=True, metavar="CSV")


def run(args: argparse.Namespace) -> int:
    """Do what was asked; 1 if answers were refused."""
    action: Callable[[argparse.Namespace], int | None] = {
        "summary": _summary,
        "export": _export,
        "import": _import,
        "aggregate": _aggregate,
    }[args.action]
    return action(args) or 0


def _add_sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sources", type=Path, nargs="+", metavar="RATINGS", help="ratings CSV or pairs folder"
    )


def _summary(args: argparse.Namespace) -> None:
    if args.plot:
        check_output(args.plot, "--plot")
        if args.plot.suffix.lower() != ".png":
            raise OptionError(f"--plot {args.plot}: the name must end in .png")
    rows = _read_all(args.sources)
    raters = judge_raters(rows)
    pairs = aggregate(rows, raters)
    sys.stdout.write(summary_text(rows, pairs, raters))
    if args.plot:
        from annotation.plots import draw_summary  # slow to import

        write_atomically(args.plot, draw_summary(rows, pairs, raters))
        sys.stderr.write(f"wrote {args.plot}\n")


def _export(args: argparse.Namespace) -> None:
    manifest = read_manifest(args.pairs)
    rows = _read_store(args.pairs)
    if args.out.suffix.lower() == ".json":
        tasks = json.dumps(to_tasks(rows, manifest.pairs), indent=1, ensure_ascii=False)
        content = f"{tasks}\n".encode()
    elif args.out.suffix.lower() == ".csv":
        content = to_csv(rows)
    else:
        raise OptionError(f"--out is {args.out}; it ends in .csv or .json")
    write_atomically(args.out, content)
    sys.stderr.write(f"{len(rows)} answers in {args.out}\n")


def _import(args: argparse.Namespace) -> int:
    columns = dict(_split(text) for text in args.column)
    try:
        words = parse_words(args.word)
    except ValueError as error:
        raise OptionError(f"--word: {error}") from error
    read = read_tasks if args.file.suffix.lower() == ".json" else read_rows
    rows = read(args.file, columns, words)
    if args.out:
        write_atomically(args.out, to_csv(located(args.file, rows)))
        sys.stderr.write(f"{len(rows)} answers in {args.out}\n")
        return 0
    said, refused = _add_to_store(args.into, rows)
    sys.stdout.write(said)
    return 1 if refused else 0


def _aggregate(args: argparse.Namespace) -> None:
    rows = _read_all(args.sources)
    pairs = aggregate(rows, judge_raters(rows))
    write_atomically(args.out, csv_bytes(AGGREGATED_COLUMNS, map(astuple, pairs)))
    sys.stderr.write(f"{len(pairs)} rated pairs in {args.out}\n")


def _read_all(sources: Sequence[Path]) -> list[Rating]:
    """All answers of several CSVs and pairs folders; the same answer twice counts once.

    Raises:
        DataError: a source cannot be read, or two have different answers of one name.
    """
    rows: list[Rating] = []
    seen: dict[tuple[object, ...], tuple[Path, Rating]] = {}
    for source in sources:
        found = _read_store(source) if source.is_dir() else located(source, read_rows(source))
        rows += [row for row in found if _is_new(row, source, seen)]
    if not rows:
        raise DataError(f"{', '.join(map(str, sources))}: nothing has been rated yet")
    return rows


def _is_new(row: Rating, source: Path, seen: dict[tuple[object, ...], tuple[Path, Rating]]) -> bool:
    """Whether no source before has this answer; notes it under its id and under who gave it."""
    said = replace(row, path="")  # where the photo lies depends on where the CSV does
    names: dict[tuple[object, ...], str] = {}
    if row.id:
        names[row.id,] = (
            f"id {row.id!r} has other content there; if both hold the same answers, give only "
            f"one, and if both merely number their rows, delete the column 'id' in one of them"
        )
    if row.rater:
        names[row.rater, row.pair, row.repeat] = (
            f"{row.rater!r} has another answer to pair {row.pair!r} there; delete one of the two, "
            f"number second showings in the column 'repeat', or tell two people of one name "
            f"apart in the column 'rater'"
        )
    known = False
    for name, problem in names.items():
        if name not in seen:
            seen[name] = source, said
        elif seen[name][1] == said:
            known = True
        else:
            raise DataError(f"{source} and {seen[name][0]} cannot be combined: {problem}")
    return not known


def _read_store(folder: Path) -> list[Rating]:
    manifest = read_manifest(folder)
    if not (folder / RATINGS_FILE).is_file():
        raise DataError(f"{folder} has not been rated yet; start with: trigger annotate {folder}")
    store = Store(folder / RATINGS_FILE)
    try:
        return ratings_of(store, manifest.pairs)
    finally:
        store.close()


def _add_to_store(folder: Path, rows: Sequence[Rating]) -> tuple[str, int]:
    """Add answers to those given in the browser; what became of them, and how many were refused."""
    known = {pair.pair: pair for pair in read_manifest(folder).pairs}
    for row in rows:
        if row.pair not in known:
            raise DataError(f"pair {row.pair!r} is not in {folder}/{MANIFEST_FILE}")
        if row.repeat > known[row.pair].repeat:
            raise DataError(
                f"pair {row.pair!r}: repeat is {row.repeat}, but it is shown "
                f"{1 + known[row.pair].repeat} times, which count from 0"
            )
        if not row.time:
            raise DataError(f"pair {row.pair!r}: a time is needed to add an answer")
    events = [_event(row) for row in rows]
    store = Store(folder / RATINGS_FILE)
    try:
        outcomes = store.record_all(list(zip(_raters(rows, store.raters()), events, strict=True)))
        standing = {event.id for _, event in store.standing()}
    finally:
        store.close()
    counts = Counter(outcome.status for outcome in outcomes)
    undone = sum(o.status == "known" and o.id not in standing for o in outcomes)
    refused = [
        f"  {row.rater}, pair {row.pair}: {outcome.reason}\n"
        for row, outcome in zip(rows, outcomes, strict=True)
        if outcome.status == "refused"
    ]
    said = "".join(
        [
            f"{counts['saved']} answers added, {counts['known'] - undone} were there already, "
            f"{undone} left out since the rater took them back, {counts['refused']} refused\n",
            *refused[:SHOWN_REFUSALS],
        ]
    )
    return said, len(refused)


def _raters(rows: Sequence[Rating], known: Sequence[str]) -> list[str]:
    """Who gave each answer, spelled as those are who signed in or came up before."""
    spelled = list(known)
    names = []
    for row in rows:
        try:
            names.append(same_name(clean_name(row.rater), spelled))
        except ValueError as error:
            raise DataError(f"pair {row.pair!r}: rater is {row.rater!r}; {error}") from error
        if names[-1] not in spelled:
            spelled.append(names[-1])
    return names


def _event(row: Rating) -> Event:
    # An id of its own, made of what it says, makes adding the same file twice harmless.
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


def _split(text: str) -> tuple[str, str]:
    ours, equals, theirs = text.partition("=")
    if not equals or ours not in COLUMNS:
        raise OptionError(f"--column {text!r} is not OURS=THEIRS; ours are {', '.join(COLUMNS)}")
    return ours, theirs
