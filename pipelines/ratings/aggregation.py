"""Aggregate the opinions of many raters to one rating per pair, with its reliability."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.data import tables
from pipelines.data.tables import Table, check_width, csv_bytes, read_csv
from pipelines.ratings.reliability import Rater, judge_raters
from pipelines.ratings.table import (
    RATINGS,
    Rating,
    is_opinion,
    name_pair,
    parse_number,
    read_rows,
    whole,
)
from trigger.errors import DataError
from trigger.files import resolved

DISPUTED_SPREAD = 2  # ratings of a pair this far apart deserve another look
PRIOR_OPINIONS = 3  # weight, in opinions, of the common variance of opinions in that of each pair
MIN_BETWEEN = 0.01  # variance between pairs, as a share of that of opinions: pairs do differ
MIN_WEIGHT = 1e-4


@dataclass(frozen=True)
class RatedPair:
    """The rating of a pair by all raters together; the fields are columns of the aggregated CSV.

    Attributes:
        pair: its name.
        photo: SHA-256 of the photo before enhancement, or "".
        path: where that photo is, absolute, or "".
        scene: what the photo was made from, as given, or "".
        enhancer: name-version, or "".
        rating: mean of the opinions, weighted by rater, -1..2.
        majority: the rating with most weight behind it; None where two are equal.
        opinions: number of raters.
        spread: highest less lowest rating.
        weight: reliability of the mean, above 0 to 1: the share of its variance that is due to
            the pair and not to who was asked.
        raters: their names, joined by " + ".

    Raises:
        ValueError: a field is out of its range.
    """

    pair: str
    photo: str
    path: str
    scene: str
    enhancer: str
    rating: float
    majority: int | None
    opinions: int
    spread: int
    weight: float
    raters: str

    def __post_init__(self) -> None:
        if not min(RATINGS) <= self.rating <= max(RATINGS):
            raise ValueError(f"rating is {self.rating}; a mean rating is -1 to 2")
        if not 0 < self.weight <= 1:
            raise ValueError(f"weight is {self.weight}; it is above 0 and at most 1")
        if self.opinions < 1:
            raise ValueError(f"opinions is {self.opinions}; it is 1 or more")


AGGREGATED_COLUMNS = tuple(field.name for field in fields(RatedPair))


@dataclass(frozen=True)
class _Opinions:
    """Ratings of one pair, and the weight of each one's rater, both (n,)."""

    values: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]

    @property
    def mean(self) -> float:
        return float(np.average(self.values, weights=self.weights))

    @property
    def squares(self) -> float:
        """Sum of squared differences from the plain mean."""
        return float(((self.values - self.values.mean()) ** 2).sum())

    @property
    def effective(self) -> float:
        """Number of fully trusted raters that the weighted opinions are worth."""
        kish = self.weights.sum() ** 2 / (self.weights**2).sum()  # Kish's effective sample size
        return float(kish * self.weights.mean())


def aggregate(rows: Sequence[Rating], raters: Sequence[Rater]) -> list[RatedPair]:
    """Combine the opinions on each pair, sorted by pair; those of unnamed raters weigh 1.

    Raises:
        DataError: one name stands for several pairs.

    Example:
        >>> aggregate(rows, judge_raters(rows))[0].rating  # doctest: +SKIP
        1.25
    """
    weights = {rater.rater: rater.weight for rater in raters}
    grouped: dict[str, list[Rating]] = defaultdict(list)
    for row in rows:
        if is_opinion(row):
            grouped[row.pair].append(row)
    for pair, group in grouped.items():
        _check_same(pair, group)
    groups = [group for _, group in sorted(grouped.items())]
    opinions = [_opinions(group, weights) for group in groups]
    reliabilities = _reliabilities(opinions)
    return [_combine(*pair) for pair in zip(groups, opinions, reliabilities, strict=True)]


def disputed(pairs: Iterable[RatedPair]) -> list[RatedPair]:
    """Return pairs on which raters disagree by two steps or more, the most disputed first."""
    return sorted(
        (pair for pair in pairs if pair.spread >= DISPUTED_SPREAD),
        key=lambda pair: (-pair.spread, pair.weight, pair.pair),
    )


def aggregated_csv(pairs: Iterable[RatedPair]) -> bytes:
    """Return the CSV that :func:`read_rated_pairs` reads."""
    return csv_bytes(AGGREGATED_COLUMNS, map(astuple, pairs))


def read_rated_pairs(path: Path) -> list[RatedPair]:
    """Read a CSV of ratings, or of aggregated ones (``trigger ratings aggregate``).

    Raises:
        DataError: it is neither, or a line is wrong.
    """
    table = read_csv(path)
    if "opinions" in table.header:
        return _read_aggregated(path, table)
    rows = located(path, read_rows(path))
    pairs = aggregate(rows, judge_raters(rows))
    if not pairs:
        raise DataError(f"{path}: holds no ratings to learn from, only skips and sentinels")
    return pairs


def located(path: Path, rows: Iterable[Rating]) -> list[Rating]:
    """Return rows with absolute paths, from those of a CSV that are relative to its folder.

    Pairs named by such a path are renamed with it: two folders may both hold an IMG_0001.jpg.
    """
    return [_located(path, row) if row.path else row for row in rows]


def _located(path: Path, row: Rating) -> Rating:
    absolute = _absolute(path, row.path)
    named = not row.photo and row.pair == name_pair(row.path, row.enhancer)
    pair = name_pair(absolute, row.enhancer) if named else row.pair
    try:
        return replace(row, path=absolute, pair=pair)
    except ValueError as error:
        raise DataError(f"{path}: {row.path!r} is {absolute!r}: {error}") from error


def _absolute(path: Path, photo: str) -> str:
    return str(resolved(path.parent / photo))


def _check_same(pair: str, rows: Sequence[Rating]) -> None:
    """Refuse to average opinions on different photos; one photo may be in several places."""
    given = {
        "photo": {row.photo for row in rows},
        "path": {Path(row.path).name for row in rows if not row.photo},
        "enhancer": {row.enhancer for row in rows},
    }
    for column, values in given.items():
        named = sorted(values - {""})
        if len(named) > 1:
            listed = " and ".join(map(repr, named[:2]))
            raise DataError(
                f"pair {pair!r} stands for different things, {column} {listed}; give each pair a "
                f"name of its own, or leave the column 'pair' out"
            )


def _opinions(rows: Sequence[Rating], weights: Mapping[str, float]) -> _Opinions:
    values = np.array([row.rating for row in rows], np.float64)
    return _Opinions(values, np.array([weights.get(row.rater, 1.0) for row in rows]))


def _reliabilities(pairs: Sequence[_Opinions]) -> list[float]:
    """Reliability of each pair's mean: variance between pairs / (that + variance of the mean).

    Where no pair has two opinions nothing is known, and all are 1.
    """
    freedom = sum(len(pair.values) - 1 for pair in pairs)
    if not freedom:
        return [1.0] * len(pairs)
    # The variance of opinions within a pair, pooled over all pairs.
    common = sum(pair.squares for pair in pairs) / freedom
    # The variance of each pair's mean: its own variance of opinions, shrunk towards the pooled one
    # (a few opinions cannot tell it better), over the number of opinions that count.
    noises = [
        (PRIOR_OPINIONS * common + pair.squares)
        / (PRIOR_OPINIONS + len(pair.values) - 1)
        / pair.effective
        for pair in pairs
    ]
    # Between pairs: the variance of the means less what their own variance adds to it.
    spread = float(np.var([pair.mean for pair in pairs]) - np.mean(noises))
    between = max(spread, common * MIN_BETWEEN, 1e-6)
    return [max(between / (between + noise), MIN_WEIGHT) for noise in noises]


def _combine(rows: Sequence[Rating], opinions: _Opinions, reliability: float) -> RatedPair:
    votes: dict[int, float] = defaultdict(float)
    for value, weight in zip(opinions.values, opinions.weights, strict=True):
        votes[int(value)] += float(weight)
    best = [value for value, weight in votes.items() if weight > max(votes.values()) - 1e-9]
    named = {
        name: next((given for row in rows if (given := getattr(row, name))), "")
        for name in ("photo", "path", "scene", "enhancer")
    }
    return RatedPair(
        pair=rows[0].pair,
        **named,
        rating=round(opinions.mean, 4),
        majority=best[0] if len(best) == 1 else None,
        opinions=len(rows),
        spread=int(opinions.values.max() - opinions.values.min()),
        weight=round(reliability, 4),
        raters=" + ".join(sorted({row.rater for row in rows if row.rater})),
    )


def _read_aggregated(path: Path, table: Table) -> list[RatedPair]:
    if missing := [name for name in AGGREGATED_COLUMNS if name not in table.header]:
        raise DataError(
            f"{path}: column {missing[0]!r} is missing; make it with: trigger ratings aggregate"
        )
    pairs: list[RatedPair] = []
    seen: dict[str, int] = {}
    for line, cells in table.rows:
        try:
            check_width(cells, table.header)
            pair = _parse(path, dict(zip(table.header, cells, strict=True)))
            if (first := seen.setdefault(pair.pair, line)) != line:
                raise ValueError(f"pair {pair.pair!r} is on line {first} too")
        except ValueError as error:
            raise DataError(f"{path}, line {line}: {error}") from error
        pairs.append(pair)
    if not pairs:
        raise DataError(f"{path}: holds no ratings, only a header")
    return pairs


def _parse(path: Path, cells: Mapping[str, str]) -> RatedPair:
    return RatedPair(
        pair=cells["pair"],
        photo=cells["photo"],
        path=_absolute(path, cells["path"]) if cells["path"] else "",
        scene=cells["scene"],
        enhancer=cells["enhancer"],
        rating=parse_number(cells, "rating", tables.number),
        majority=parse_number(cells, "majority", whole) if cells["majority"] else None,
        opinions=parse_number(cells, "opinions", whole),
        spread=parse_number(cells, "spread", whole),
        weight=parse_number(cells, "weight", tables.number),
        raters=cells["raters"],
    )
