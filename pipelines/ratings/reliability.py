"""Reliability of raters: known answers, second showings, agreement with the others.

Raters weigh by the pairs whose answer is known (sentinels) and those they saw twice (repeats).
Each starts as if two sentinels had been passed and two repeats been answered alike, so that one
slip of the finger does not count for much.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from pipelines.ratings.agreement import weighted_kappa
from pipelines.ratings.table import RATINGS, SENTINELS, Rating, is_opinion

PRIOR_COUNT = 2  # sentinels passed and repeats answered alike that every rater starts with
MIN_WEIGHT = 0.05
OUTLIER_WEIGHT = 0.5
OUTLIER_KAPPA = 0.2
OUTLIER_DISTANCE = 0.5
OUTLIER_BIAS = 0.75
MIN_SHARED_PAIRS = 10  # with fewer pairs rated by others too, nobody is called an outlier
CATEGORIES = sorted(RATINGS)


@dataclass(frozen=True)
class Rater:
    """What one rater did.

    Attributes:
        rater: the name.
        ratings: number of first opinions (without sentinels and repeats).
        skips: number of pairs skipped.
        seconds: median time per answer; None where no time was recorded.
        passed: sentinels answered correctly.
        sentinels: sentinels answered.
        alike: repeats answered as the first time.
        repeats: pairs answered twice.
        weight: 0.05..1, by sentinels and repeats.
        shared: pairs that others rated too.
        kappa: quadratically weighted kappa with the rounded mean of the others; NaN where it is
            undefined.
        bias: mean difference from the others.
        doubts: why this rater is an outlier; empty for the rest.
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
class _Checks:
    """A rater's answers to sentinels and repeats."""

    passed: int
    sentinels: int
    changes: tuple[int, ...]  # second answer less the first, of each repeat

    def weight(self, chance: float) -> float:
        """Combine both: the share of sentinels passed, and one less the share of changes.

        Args:
            chance: mean squared difference of two ratings drawn at random.
        """
        honesty = (self.passed + PRIOR_COUNT) / (self.sentinels + PRIOR_COUNT)
        # Squared changes in units of those that answering at random would make.
        changed = sum(change**2 for change in self.changes) / chance if chance else 0.0
        constancy = 1 - changed / (len(self.changes) + PRIOR_COUNT)
        return float(np.clip(honesty * constancy, MIN_WEIGHT, 1))


@dataclass(frozen=True)
class _Comparison:
    """A rater's opinions compared with those of the others on the same pairs."""

    shared: int
    kappa: float
    bias: float
    distance: float  # mean absolute difference


def judge_raters(rows: Sequence[Rating]) -> list[Rater]:
    """Describe each named rater, the one with most ratings first.

    Example:
        >>> [(rater.rater, rater.weight) for rater in judge_raters(rows)]  # doctest: +SKIP
        [('Ann', 1.0), ('Ben', 0.72)]
    """
    by_pair: dict[str, dict[str, int]] = defaultdict(dict)
    by_rater: dict[str, list[Rating]] = defaultdict(list)
    for row in rows:
        if row.rater:
            by_rater[row.rater].append(row)
        if is_opinion(row) and row.rater and row.rating is not None:
            by_pair[row.pair][row.rater] = row.rating
    chance = _chance_difference([row for row in rows if is_opinion(row)])
    raters = [_judge(name, by_rater[name], by_pair, chance) for name in sorted(by_rater)]
    return sorted(raters, key=lambda rater: -rater.ratings)


def _judge(
    name: str, rows: Sequence[Rating], by_pair: Mapping[str, Mapping[str, int]], chance: float
) -> Rater:
    checks = _check(rows)
    weight = checks.weight(chance)
    compared = _compare(name, by_pair)
    times = [row.seconds for row in rows if row.seconds is not None]
    return Rater(
        rater=name,
        ratings=sum(is_opinion(row) for row in rows),
        skips=sum(row.rating is None for row in rows),
        seconds=median(times) if times else None,
        passed=checks.passed,
        sentinels=checks.sentinels,
        alike=checks.changes.count(0),
        repeats=len(checks.changes),
        weight=round(weight, 4),
        shared=compared.shared,
        kappa=compared.kappa,
        bias=compared.bias,
        doubts=_doubts(weight, compared),
    )


def _check(rows: Sequence[Rating]) -> _Checks:
    rated = [(row, row.rating) for row in rows if row.rating is not None]
    sentinels = [(row.sentinel, rating) for row, rating in rated if row.sentinel]
    first = {row.pair: rating for row, rating in rated if not row.repeat}
    return _Checks(
        passed=sum(rating in SENTINELS[kind] for kind, rating in sentinels),
        sentinels=len(sentinels),
        changes=tuple(
            rating - first[row.pair] for row, rating in rated if row.repeat and row.pair in first
        ),
    )


def _compare(name: str, by_pair: Mapping[str, Mapping[str, int]]) -> _Comparison:
    own, others = [], []
    for opinions in by_pair.values():
        rest = [rating for rater, rating in opinions.items() if rater != name]
        if name in opinions and rest:
            own.append(opinions[name])
            others.append(sum(rest) / len(rest))
    differences = np.subtract(own, others) if own else np.zeros(1)
    return _Comparison(
        shared=len(own),
        kappa=weighted_kappa(own, np.rint(others).astype(int), CATEGORIES),
        bias=float(differences.mean()),
        distance=float(np.abs(differences).mean()),
    )


def _doubts(weight: float, compared: _Comparison) -> tuple[str, ...]:
    doubts = []
    if weight < OUTLIER_WEIGHT:
        doubts.append("fails sentinels or repeats")
    if compared.shared >= MIN_SHARED_PAIRS:
        # Kappa is also about 0 where nearly all ratings are the same, as good raters' may be.
        if compared.kappa < OUTLIER_KAPPA and compared.distance > OUTLIER_DISTANCE:
            doubts.append("agrees with nobody")
        if abs(compared.bias) > OUTLIER_BIAS:
            doubts.append(f"rates {'higher' if compared.bias > 0 else 'lower'} than others")
    return tuple(doubts)


def _chance_difference(opinions: Sequence[Rating]) -> float:
    """Return the mean squared difference of two ratings drawn at random."""
    counts = Counter(row.rating for row in opinions if row.rating is not None)
    values = np.repeat(list(counts), list(counts.values()))
    return 2 * float(values.var()) if len(values) else 0.0
