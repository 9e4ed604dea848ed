"""From many opinions to one rating per pair, and what the opinions tell of the raters.

Raters weigh by what they did with pairs whose answer was known (sentinels) and with pairs that
they saw twice (repeats). Each starts as if two sentinels had been passed and two repeats been
answered alike, so that one slip of the finger does not count for much.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from pipelines.data.provenance import origins_of
from pipelines.ratings.agreement import weighted_kappa
from pipelines.ratings.table import (
    RATINGS,
    SENTINELS,
    Rating,
    check_path,
    check_width,
    is_opinion,
    name_pair,
    number,
    read_lines,
    read_rows,
    whole,
)
from trigger.errors import DataError, PhotoError
from trigger.files import resolved
from trigger.photo import photo_hash, read_photo_bytes, read_same_photo
from trigger.threads import default_workers, map_in_order

BENEFIT = 2  # sentinels passed and repeats answered alike that every rater starts with
LOWEST_WEIGHT = 0.05
OUTLIER_WEIGHT = 0.5
OUTLIER_KAPPA = 0.2
OUTLIER_DISTANCE = 0.5
OUTLIER_BIAS = 0.75
ENOUGH = 10  # pairs shared with others, below which nobody is called an outlier
DISAGREEMENT = 2  # ratings of a pair that are so far apart deserve another look
PRIOR_OPINIONS = 3  # how many opinions the common spread of opinions counts for in each pair
LEAST_BETWEEN = 0.01  # variance between pairs, as a share of that of opinions: pairs do differ
LOWEST_TRUST = 1e-4
CATEGORIES = sorted(RATINGS)


@dataclass(frozen=True)
class Rater:
    """What one rater did.

    Attributes:
        rater: the name.
        ratings: how many opinions (sentinels and repeats apart).
        skips: how many pairs were skipped.
        seconds: median time per answer; None where no time was recorded.
        passed: sentinels answered as they should be.
        sentinels: sentinels answered.
        alike: repeats answered as the first time.
        repeats: pairs answered twice.
        weight: 0.05..1, by sentinels and repeats.
        shared: pairs that others rated too.
        kappa: quadratically weighted kappa with the rounded mean of the others.
        bias: mean difference from the others.
        doubts: why this rater is an outlier; empty: is none.
    """

    rater: str
    ratings: int
    skips: int
    seconds: float | None
    passed: int
    sentinels: int
    alike: int
    repeats: int
    weight: float
    shared: int
    kappa: float
    bias: float
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class RatedPair:
    """What all raters together said of a pair; the fields are the columns of the aggregated CSV.

    Attributes:
        pair: its name.
        photo: SHA-256 of the photo before enhancement, or "".
        path: where that photo is, absolute, or "".
        scene: what the photo was made from, as given, or "".
        enhancer: name-version, or "".
        rating: mean of the opinions, weighted by rater, -1..2.
        majority: the rating with most weight behind it; None where two are equal.
        opinions: how many raters.
        spread: from the lowest to the highest rating.
        weight: how far the mean can be trusted, above 0 to 1: the share of its variance that is
            due to the pair and not to whom was asked.
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


def judge_raters(rows: Sequence[Rating]) -> list[Rater]:
    """What each named rater did, and whether it can be trusted; most ratings first."""
    by_pair: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        if is_opinion(row) and row.rater and row.rating is not None:
            by_pair[row.pair][row.rater] = row.rating
    frequencies = Counter(row.rating for row in rows if is_opinion(row) and row.rating is not None)
    chance = _chance_difference(frequencies)
    raters = [
        _judge(name, [row for row in rows if row.rater == name], by_pair, chance)
        for name in sorted({row.rater for row in rows if row.rater})
    ]
    return sorted(raters, key=lambda rater: -rater.ratings)


def aggregate(rows: Sequence[Rating], raters: Sequence[Rater]) -> list[RatedPair]:
    """One rating per pair, sorted by pair; opinions of unnamed raters weigh 1.

    Raises:
        DataError: one name stands for several pairs.
    """
    weights = {rater.rater: rater.weight for rater in raters}
    grouped: dict[str, list[Rating]] = defaultdict(list)
    for row in rows:
        if is_opinion(row):
            grouped[row.pair].append(row)
    for pair, group in grouped.items():
        _check_same(pair, group)
    opinions = {pair: _opinions(group, weights) for pair, group in sorted(grouped.items())}
    trusts = _trust(list(opinions.values()))
    return [
        _combine(grouped[pair], values, given, trust)
        for (pair, (values, given)), trust in zip(opinions.items(), trusts, strict=True)
    ]


def disputed(pairs: Sequence[RatedPair]) -> list[RatedPair]:
    """Pairs on which raters disagree by two steps or more, the most disputed first."""
    return sorted(
        (pair for pair in pairs if pair.spread >= DISAGREEMENT),
        key=lambda pair: (-pair.spread, pair.weight, pair.pair),
    )


def read_rated_pairs(path: Path) -> list[RatedPair]:
    """Read a CSV of ratings, or one that ``trigger ratings aggregate`` wrote.

    Raises:
        DataError: it is neither, or a line is wrong.
    """
    lines = read_lines(path)
    header = [cell.strip() for cell in lines[0][1]]
    if "opinions" not in header:
        rows = located(path, read_rows(path))
        pairs = aggregate(rows, judge_raters(rows))
        if not pairs:
            raise DataError(f"{path}: holds no ratings to learn from, only skips and sentinels")
        return pairs
    if missing := [name for name in AGGREGATED_COLUMNS if name not in header]:
        raise DataError(
            f"{path}: column {missing[0]!r} is missing; make it with: trigger ratings aggregate"
        )
    given: list[RatedPair] = []
    seen: dict[str, int] = {}
    for line, cells in lines[1:]:
        try:
            check_width(cells, header)
            pair = _parse(path, dict(zip(header, cells, strict=True)))
            if (first := seen.setdefault(pair.pair, line)) != line:
                raise ValueError(f"pair {pair.pair!r} is on line {first} too")
            given.append(pair)
        except ValueError as error:
            raise DataError(f"{path}, line {line}: {error}") from error
    if not given:
        raise DataError(f"{path}: holds no ratings, only a header")
    return given


def rated_photos(path: Path) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """What to learn from: the rated pairs of a CSV, raw or aggregated, whose photos are at hand.

    Returns:
        One row per such pair, numbered from 0, ``AGGREGATED_COLUMNS``: photo (SHA-256), path
        (absolute, str), rating (float, -1..2), weight (float, 0..1), scene (str; where none is
        given what the photo was made from by record, else the SHA-256 of the photo, as in
        labels), ... Also the path of each other pair, with what is wrong: its photo is missing,
        unreadable, or not what was rated.

    Raises:
        DataError: as ``read_rated_pairs``, or a photo is named otherwise than in UTF-8.
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
    """Hash of a rated photo; an error where it is none or not the one that was rated."""
    try:
        if not photo:
            return photo_hash(read_photo_bytes(path))
        read_same_photo(path, photo)
    except PhotoError as error:
        return error
    return photo


def located(path: Path, rows: Sequence[Rating]) -> list[Rating]:
    """Rows with absolute paths, from those of a CSV that are relative to its folder.

    Pairs named by such a path follow it: two folders may both hold an IMG_0001.jpg.
    """
    return [_located(path, row) if row.path else row for row in rows]


def _located(path: Path, row: Rating) -> Rating:
    absolute = _absolute(path, row.path)
    named = not row.photo and row.pair == name_pair(row.path, row.enhancer)
    pair = name_pair(absolute, row.enhancer) if named else row.pair
    try:
        return replace(row, path=absolute, pair=pair)
    except ValueError as error:
        raise DataError(f"{path}: {row.path!r} lies at {absolute!r}: {error}") from error


def _absolute(path: Path, photo: str) -> str:
    return str(resolved(path.parent / photo))


def _judge(
    name: str, rows: Sequence[Rating], by_pair: Mapping[str, Mapping[str, int]], chance: float
) -> Rater:
    sentinels = [row for row in rows if row.sentinel and row.rating is not None]
    passed = sum(row.rating in SENTINELS[row.sentinel] for row in sentinels)
    first = {row.pair: row.rating for row in rows if not row.repeat and row.rating is not None}
    again = [
        row.rating - first[row.pair]
        for row in rows
        if row.repeat and row.rating is not None and row.pair in first
    ]
    honesty = (passed + BENEFIT) / (len(sentinels) + BENEFIT)
    differences = sum(difference**2 for difference in again) / chance if chance else 0.0
    constancy = 1 - differences / (len(again) + BENEFIT)
    weight = float(np.clip(honesty * constancy, LOWEST_WEIGHT, 1))
    own, others = [], []
    for opinions in by_pair.values():
        rest = [rating for rater, rating in opinions.items() if rater != name]
        if name in opinions and rest:
            own.append(opinions[name])
            others.append(sum(rest) / len(rest))
    kappa = weighted_kappa(own, np.rint(others).astype(int), CATEGORIES)
    differences_to_others = np.subtract(own, others) if own else np.zeros(1)
    bias = float(differences_to_others.mean())
    distance = float(np.abs(differences_to_others).mean())
    doubts = []
    if weight < OUTLIER_WEIGHT:
        doubts.append("fails sentinels or repeats")
    # Kappa is about 0, too, where nearly all ratings are the same, as good raters' may be.
    if len(own) >= ENOUGH and kappa < OUTLIER_KAPPA and distance > OUTLIER_DISTANCE:
        doubts.append("agrees with nobody")
    if len(own) >= ENOUGH and abs(bias) > OUTLIER_BIAS:
        doubts.append("rates higher than others" if bias > 0 else "rates lower than others")
    times = [row.seconds for row in rows if row.seconds is not None]
    return Rater(
        rater=name,
        ratings=sum(is_opinion(row) for row in rows),
        skips=sum(row.rating is None for row in rows),
        seconds=median(times) if times else None,
        passed=passed,
        sentinels=len(sentinels),
        alike=again.count(0),
        repeats=len(again),
        weight=round(weight, 4),
        shared=len(own),
        kappa=kappa,
        bias=bias,
        doubts=tuple(doubts),
    )


def _chance_difference(frequencies: Mapping[int, int]) -> float:
    """Mean squared difference of two ratings drawn at random."""
    values = np.repeat(list(frequencies), list(frequencies.values()))
    return 2 * float(values.var()) if len(values) else 0.0


def _check_same(pair: str, rows: Sequence[Rating]) -> None:
    """Refuse to average opinions on different photos; one photo may lie in several places."""
    said = {
        "photo": {row.photo for row in rows},
        "path": {Path(row.path).name for row in rows if not row.photo},
        "enhancer": {row.enhancer for row in rows},
    }
    for column, values in said.items():
        named = sorted(values - {""})
        if len(named) > 1:
            listed = " and ".join(map(repr, named[:2]))
            raise DataError(
                f"pair {pair!r} stands for different things, {column} {listed}; give each pair a "
                f"name of its own, or leave the column 'pair' out"
            )


def _opinions(
    rows: Sequence[Rating], weights: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    values = np.array([row.rating for row in rows], np.float64)
    return values, np.array([weights.get(row.rater, 1.0) for row in rows])


def _trust(opinions: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[float]:
    """Reliability of each pair's mean: variance between pairs / (that + variance of the mean).

    Between pairs there is the variance of the means less what the means' own variance adds to it.
    A pair's own variance is shrunk towards that of all pairs, which a few opinions cannot tell
    better. Where no pair has two opinions nothing is known, and all weigh 1.
    """
    squares = [float(((values - values.mean()) ** 2).sum()) for values, _ in opinions]
    freedom = sum(len(values) - 1 for values, _ in opinions)
    if not freedom:
        return [1.0] * len(opinions)
    common = sum(squares) / freedom
    means = [float(np.average(values, weights=given)) for values, given in opinions]
    noises = []
    for (values, given), square in zip(opinions, squares, strict=True):
        variance = (PRIOR_OPINIONS * common + square) / (PRIOR_OPINIONS + len(values) - 1)
        effective = given.sum() * given.sum() / (given**2).sum() * given.mean()
        noises.append(float(variance / effective))
    between = max(float(np.var(means) - np.mean(noises)), common * LEAST_BETWEEN, 1e-6)
    return [max(between / (between + noise), LOWEST_TRUST) for noise in noises]


def _combine(
    rows: Sequence[Rating], values: np.ndarray, given: np.ndarray, trust: float
) -> RatedPair:
    votes: dict[int, float] = defaultdict(float)
    for value, weight in zip(values, given, strict=True):
        votes[int(value)] += float(weight)
    best = [value for value, weight in votes.items() if weight > max(votes.values()) - 1e-9]
    named = {
        name: next((said for row in rows if (said := getattr(row, name))), "")
        for name in ("photo", "path", "scene", "enhancer")
    }
    return RatedPair(
        pair=rows[0].pair,
        **named,
        rating=round(float(np.average(values, weights=given)), 4),
        majority=best[0] if len(best) == 1 else None,
        opinions=len(rows),
        spread=int(values.max() - values.min()),
        weight=round(trust, 4),
        raters=" + ".join(sorted({row.rater for row in rows if row.rater})),
    )


def _parse(path: Path, cells: Mapping[str, str]) -> RatedPair:
    return RatedPair(
        pair=cells["pair"],
        photo=cells["photo"],
        path=_absolute(path, cells["path"]) if cells["path"] else "",
        scene=cells["scene"],
        enhancer=cells["enhancer"],
        rating=number(cells, "rating", float),
        majority=number(cells, "majority", whole) if cells["majority"] else None,
        opinions=number(cells, "opinions", whole),
        spread=number(cells, "spread", whole),
        weight=number(cells, "weight", float),
        raters=cells["raters"],
    )
