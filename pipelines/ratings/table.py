"""The ratings CSV: one row per answer of a rater to a before/after pair.

An answer is a rating, or a skip. All columns are optional but ``rating`` and one of ``pair``,
``photo`` and ``path``:

========  =====================================================================================
id        of the answer; no two rows share one
pair      name of the before/after pair; default: the photo (or absolute path) and the enhancer
photo     SHA-256 of the photo before enhancement, 64 hexadecimal digits
path      the photo before enhancement; relative paths start at the CSV's folder
scene     photos of one scene stay on one side of every split; default: what
          the photo was made from by record, else the photo
enhancer  what made the "after" photo, as name-version
rater     who answered
rating    2 significant improvement, 1 moderate improvement, 0 neutral, -1 regressed; empty
          where the pair was skipped
skip      why there is no rating
time      when, ISO 8601 with a time zone
seconds   how long the rater looked, 0 or more
view      how the pair was shown: key=value, separated by spaces
sentinel  for pairs whose answer is known: identical, good or bad
repeat    0 first showing, 1 second showing to the same rater, ...; default 0
========  =====================================================================================
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pipelines.data import tables
from pipelines.data.tables import check_width, csv_bytes, read_csv
from trigger.errors import DataError

RATINGS = {2: "significant improvement", 1: "moderate improvement", 0: "neutral", -1: "regressed"}
PERFECT = "original"
"""The enhancer that would restore what a flawless camera had seen; see derived ratings."""

IMPROVABLE = 1  # a mean rating from here on counts as "would look better"
SENTINELS = {"identical": (0,), "good": (1, 2), "bad": (-1,)}
"""Kinds of pairs with a known answer, and the ratings that a careful rater gives them."""
SHOWN_PROBLEMS = 10

# In columns with missing values, pandas writes whole numbers as 2.0.
NUMBERS = {text: number for number in RATINGS for text in (str(number), f"{number}.0")} | {
    word: number for number, word in RATINGS.items()
}
N = TypeVar("N", int, float)
_ALLOWED = ", ".join(f"{number} ({word})" for number, word in RATINGS.items())
_MAX_LENGTHS = {"id": 64, "pair": 4500, "path": 4096, "scene": 4096, "view": 300, "skip": 200}


@dataclass(frozen=True)
class Rating:
    """One answer; the fields are the columns of the CSV.

    Raises:
        ValueError: a field is out of its range; the message names it.
    """

    id: str
    pair: str
    photo: str
    path: str
    scene: str
    enhancer: str
    rater: str
    rating: int | None
    skip: str
    time: str
    seconds: float | None
    view: str
    sentinel: str
    repeat: int

    def __post_init__(self) -> None:
        if self.rating is not None and self.rating not in RATINGS:
            raise ValueError(f"rating is {self.rating!r}; allowed are {_ALLOWED}")
        if (self.rating is None) == (self.skip == ""):
            raise ValueError(
                f"rating is {'' if self.rating is None else self.rating!r} and skip is "
                f"{self.skip!r}; a row has either a rating ({_ALLOWED}) or a reason for skipping"
            )
        if "\0" in self.path:
            raise ValueError(f"path is {self.path!r}; no file has such a name")
        if not self.pair:
            raise ValueError("path is empty, and so are pair and photo; name the rated photo")
        if self.photo and not re.fullmatch(r"[0-9a-f]{64}", self.photo):
            raise ValueError(f"photo is {self.photo!r}; it is a SHA-256: 64 digits 0-9, a-f")
        if self.sentinel and self.sentinel not in SENTINELS:
            raise ValueError(
                f"sentinel is {self.sentinel!r}; allowed are {', '.join(SENTINELS)} or nothing"
            )
        if self.seconds is not None and not 0 <= self.seconds < math.inf:
            raise ValueError(f"seconds is {self.seconds!r}; it is a number from 0")
        if self.repeat < 0:
            raise ValueError(f"repeat is {self.repeat}; it is 0, 1, 2, ...")
        if self.view and not re.fullmatch(r"[a-z]+=[^\s=]+( [a-z]+=[^\s=]+)*", self.view):
            raise ValueError(f"view is {self.view!r}; it is key=value, separated by spaces")
        if self.time:
            check_time(self.time)
        for name, longest in _MAX_LENGTHS.items():
            if len(getattr(self, name)) > longest:
                raise ValueError(f"{name} is longer than {longest} characters")


COLUMNS = tuple(field.name for field in fields(Rating))


def read_rows(
    path: Path,
    columns: Mapping[str, str] | None = None,
    words: Mapping[str, int] | None = None,
) -> list[Rating]:
    """Read and check a ratings CSV, ours or other people's.

    Args:
        path: the file; see ``pipelines.data.tables`` for what is read. Other columns are ignored.
        columns: their name of a column by our name, such as ``{"rating": "score"}``.
        words: our rating by their word, such as ``{"much better": 2}``.

    Raises:
        DataError: the file or a column is missing, or rows are wrong; the message names the lines
            and what is wrong with each.

    Example:
        >>> read_rows(Path("crowd.csv"), {"path": "image", "rating": "verdict"},
        ...           {"much better": 2})  # doctest: +SKIP
    """
    table = read_csv(path)
    if {"opinions", "majority"} <= set(table.header):
        raise DataError(f"{path}: these ratings are aggregated already; give those of each rater")
    places = _places(path, table.header, columns or {})
    known = NUMBERS | {word.casefold(): number for word, number in (words or {}).items()}
    rows: list[Rating] = []
    problems: list[str] = []
    seen: dict[tuple[object, ...], str] = {}
    for line, cells in table.rows:
        try:
            check_width(cells, table.header)
            # Names of files may begin or end with spaces.
            found = {n: cells[i] if n == "path" else cells[i].strip() for n, i in places.items()}
            rows.append(_parse(found, known))
            check_unique(rows[-1], f"line {line}", seen)
        except ValueError as error:
            problems.append(f"{path}, line {line}: {error}")
    if len(problems) > SHOWN_PROBLEMS:
        problems[SHOWN_PROBLEMS:] = [f"... and {len(problems) - SHOWN_PROBLEMS} more lines"]
    if problems:
        raise DataError("\n".join(problems))
    if not rows:
        raise DataError(f"{path}: holds no ratings, only a header")
    return rows


def to_csv(rows: Iterable[Rating]) -> bytes:
    """Return the CSV that ``read_rows`` reads back to the same rows.

    Raises:
        DataError: a cell holds the name of a file that is not UTF-8.

    Example:
        >>> rows = read_rows(Path("crowd.csv"))  # doctest: +SKIP
        >>> Path("ratings.csv").write_bytes(to_csv(rows))  # doctest: +SKIP
    """
    return csv_bytes(COLUMNS, map(astuple, rows))


def name_pair(photo: str, enhancer: str) -> str:
    """Name a pair by its photo's hash or path; "" without a photo."""
    return f"{photo} {enhancer}".strip() if photo else ""


def is_opinion(row: Rating) -> bool:
    """Whether a row is a first opinion on its photo: rated, no sentinel, no repeat."""
    return row.rating is not None and not row.sentinel and not row.repeat


def parse_words(texts: Iterable[str]) -> dict[str, int]:
    """Parse ``WORD=RATING`` options.

    Raises:
        ValueError: one is not WORD=RATING with a known rating.

    Example:
        >>> parse_words(["Much better=2"])
        {'much better': 2}
    """
    words = {}
    for text in texts:
        word, equals, number = text.rpartition("=")
        if not equals or number.strip() not in NUMBERS:
            raise ValueError(f"{text!r} is not WORD=RATING; ratings are {_ALLOWED}")
        words[word.strip().casefold()] = NUMBERS[number.strip()]
    return words


def parse_number(cells: Mapping[str, str], name: str, kind: Callable[[str], N]) -> N:
    """Parse the cell of that name; raises ValueError where it is not of that kind."""
    try:
        return kind(cells[name])
    except ValueError:
        kinds = "whole number" if kind is whole else "number"
        raise ValueError(f"{name} is {cells[name]!r}; it is a {kinds}") from None


def whole(text: str) -> int:
    """Parse a whole number, also as pandas writes it."""
    return int(text.removesuffix(".0"))


def check_unique(row: Rating, place: str, seen: dict[tuple[object, ...], str]) -> None:
    """Note in ``seen`` where an answer came up.

    Raises:
        ValueError: its id, or an answer of this rater to this showing, came up elsewhere.
    """
    if row.id and (first := seen.setdefault(("id", row.id), place)) != place:
        raise ValueError(f"id {row.id!r} is that of {first} too; delete one of the two")
    if not row.rater:
        return
    if (first := seen.setdefault((row.rater, row.pair, row.repeat), place)) != place:
        raise ValueError(
            f"{row.rater!r} answered the same pair on {first}; delete one of the two, or "
            f"number second showings in the column 'repeat'"
        )


def check_time(text: str) -> None:
    """Raise ValueError unless the text is a time with a zone."""
    try:
        aware = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise ValueError(f"time is {text!r}; it is ISO 8601 with a zone: 2025-05-01T12:30:00Z")


def _places(path: Path, header: list[str], columns: Mapping[str, str]) -> dict[str, int]:
    """Return the place of each of our columns."""
    for ours, other in columns.items():
        if ours not in COLUMNS:
            raise DataError(f"there is no column {ours!r}; columns are {', '.join(COLUMNS)}")
        if other not in header:
            raise DataError(f"{path}: column {other!r} is missing; got {header}")
    places = {
        name: header.index(columns.get(name, name))
        for name in COLUMNS
        if columns.get(name, name) in header
    }
    if doubled := [name for name in places if header.count(columns.get(name, name)) > 1]:
        raise DataError(f"{path}: column {doubled[0]!r} is there twice; got {header}")
    if "rating" not in places:
        raise DataError(
            f"{path}: column 'rating' is missing; got {header}. Where it has another name: "
            f"trigger ratings import {path} --column rating=NAME --out ratings.csv"
        )
    if not places.keys() & {"pair", "photo", "path"}:
        raise DataError(
            f"{path}: column 'path' is missing, and so are 'pair' and 'photo'; got {header}"
        )
    return places


def _parse(cells: dict[str, str], words: Mapping[str, int]) -> Rating:
    text = dict.fromkeys(COLUMNS, "") | cells
    rating, photo = text["rating"].casefold(), text["photo"].lower()
    if rating and rating not in words:
        raise ValueError(f"rating is {text['rating']!r}; allowed are {_ALLOWED}")
    return Rating(
        **{name: text[name] for name in ("id", "path", "scene", "enhancer", "rater", "skip")},
        **{name: text[name] for name in ("time", "view", "sentinel")},
        pair=text["pair"] or name_pair(photo or text["path"], text["enhancer"]),
        photo=photo,
        rating=words[rating] if rating else None,
        seconds=parse_number(text, "seconds", tables.number) if text["seconds"] else None,
        repeat=parse_number(text, "repeat", whole) if text["repeat"] else 0,
    )
