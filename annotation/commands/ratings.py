"""``trigger ratings``: summarize, export, import and aggregate ratings."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from annotation.exchange import add_ratings, aggregate_ratings, export_ratings, import_ratings
from annotation.label_studio import CHOICES, FIELDS
from annotation.sheet_answers import read_answers, side_preferences
from annotation.summary import summarize, summarize_ratings
from pipelines.ratings.table import COLUMNS, parse_words, to_csv
from trigger.cli.options import check_output
from trigger.console.terminal import printable
from trigger.errors import OptionError
from trigger.files import write_atomically

logger = logging.getLogger(__name__)
SHOWN_REFUSALS = 10
_PATH = click.Path(path_type=Path)
F = TypeVar("F", bound=Callable[..., Any])


def _sources(command: F) -> F:
    return click.argument("sources", type=_PATH, nargs=-1, required=True, metavar="RATINGS...")(
        command
    )


@click.command(epilog="\b\nExample:\n  trigger ratings summary pairs crowd.csv --plot ratings.png")
@_sources
@click.option("--plot", type=_PATH, metavar="PNG", help="Also draw it.")
def summary(sources: tuple[Path, ...], plot: Path | None) -> None:
    """Print counts, agreement, raters and disputed pairs of ratings CSVs and pairs folders."""
    if plot:
        check_output(plot, "--plot")
        if plot.suffix.lower() != ".png":
            raise OptionError(f"--plot {plot}: the name must end in .png")
    found = summarize_ratings(sources)
    sys.stdout.write(found.text())
    if plot:
        write_atomically(plot, found.plot())
        logger.info("wrote %s", plot)


@click.command(epilog="\b\nExample:\n  trigger ratings export pairs --out ratings.csv")
@click.argument("pairs", type=_PATH, metavar="PAIRS")
@click.option(
    "--out",
    type=_PATH,
    required=True,
    metavar="FILE",
    help=".csv, or .json for tasks of Label Studio.",
)
def export(pairs: Path, out: Path) -> None:
    """Write what was rated in the browser."""
    logger.info("%d answers in %s", export_ratings(pairs, out), out)


@click.command(
    "import",
    epilog="\b\nExamples:\n"
    "  trigger ratings import crowd.csv --column rating=verdict --word 'much better=2' \\\n"
    "      --out ratings.csv\n"
    "  trigger ratings import project.json --into pairs\n"
    "  trigger ratings import --sheets sheets answers.csv --out ratings.csv",
)
@click.argument("file", type=_PATH, metavar="FILE")
@click.option("--out", type=_PATH, metavar="CSV", help="Ratings CSV to write.")
@click.option("--into", type=_PATH, metavar="PAIRS", help="Pairs folder to add them to.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="OURS=THEIRS",
    help=f"Their name of a column; ours are {', '.join(COLUMNS)}. In a Label Studio export: of a "
    f"data field ({', '.join(FIELDS)}) or a choice ({', '.join(CHOICES)}).",
)
@click.option(
    "--word",
    "words",
    multiple=True,
    metavar="WORD=RATING",
    help="The rating that a word of FILE stands for, such as 'much better=2'.",
)
@click.option(
    "--sheets",
    type=_PATH,
    metavar="SHEETS",
    help="FILE holds answers to these sheets (CSV or JSON: pair, better A/B/same, step 0..2).",
)
@click.option(
    "--rater",
    metavar="NAME",
    help="With --sheets: who answered, where FILE does not name the rater.",
)
def import_(
    file: Path,
    out: Path | None,
    into: Path | None,
    columns: Sequence[str],
    words: Sequence[str],
    sheets: Path | None,
    rater: str | None,
) -> int:
    """Read other people's ratings: a CSV, JSON of Label Studio, or answers to sheets."""
    if (out is None) == (into is None):
        raise click.UsageError("give either --out CSV or --into PAIRS")
    if sheets and (columns or words):
        raise click.UsageError("--sheets needs no --column and --word")
    if rater is not None and not sheets:
        raise click.UsageError("--rater goes with --sheets")
    if sheets:
        rows = read_answers(sheets, file, rater=rater or "")
        sys.stdout.write(summarize(rows).text())
        for name, (left, either) in side_preferences(rows).items():
            sys.stdout.write(f"{printable(name)} preferred A in {left} of {either} answers\n")
    else:
        rows = import_ratings(file, dict(map(_split, columns)), _words(words))
    if out:
        write_atomically(out, to_csv(rows))
        logger.info("%d answers in %s", len(rows), out)
        return 0
    assert into is not None
    added = add_ratings(into, rows)
    sys.stdout.write(
        f"{added.saved} answers added, {added.known} were there already, "
        f"{added.undone} skipped since the rater has undone them, {len(added.refused)} refused\n"
    )
    sys.stdout.writelines(f"  {problem}\n" for problem in added.refused[:SHOWN_REFUSALS])
    return 1 if added.refused else 0


@click.command(epilog="\b\nExample:\n  trigger ratings aggregate pairs --out aggregated.csv")
@_sources
@click.option("--out", type=_PATH, required=True, metavar="CSV", help="CSV to write.")
def aggregate(sources: tuple[Path, ...], out: Path) -> None:
    """Write one row per pair: mean rating, majority, reliability."""
    logger.info("%d rated pairs in %s", aggregate_ratings(sources, out), out)


def _split(text: str) -> tuple[str, str]:
    ours, equals, other = text.partition("=")
    if not equals or ours not in COLUMNS:
        raise OptionError(f"--column {text!r} is not OURS=THEIRS; ours are {', '.join(COLUMNS)}")
    return ours, other


def _words(texts: Sequence[str]) -> dict[str, int]:
    try:
        return parse_words(texts)
    except ValueError as error:
        raise OptionError(f"--word: {error}") from error
