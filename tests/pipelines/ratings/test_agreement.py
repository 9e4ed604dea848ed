"""Agreement as published."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.ratings.agreement import (
    Level,
    alpha_interval,
    count_values,
    krippendorff_alpha,
    weighted_kappa,
)

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), part C: four observers.
FOUR_OBSERVERS = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
# The same, part A: two observers, two values.
TWO_OBSERVERS = ("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0")
# Wikipedia, "Krippendorff's alpha", after Hayes and Krippendorff: three coders.
THREE_CODERS = (
    ". . . . . 3 4 1 2 1 1 3 3 . 3",
    "1 . 2 1 3 3 4 3 . . . . . . .",
    ". . 2 1 3 4 4 . 2 1 1 3 3 . 4",
)


def counts(observers: tuple[str, ...]) -> np.ndarray:
    values = [
        (unit, int(value))
        for row in observers
        for unit, value in enumerate(row.split())
        if value != "."
    ]
    units, ratings = zip(*values, strict=True)
    return count_values(units, ratings, sorted(set(ratings)))


@pytest.mark.parametrize(
    ("observers", "level", "published"),
    [
        (FOUR_OBSERVERS, "nominal", 0.743),
        (FOUR_OBSERVERS, "ordinal", 0.815),
        (FOUR_OBSERVERS, "interval", 0.849),
        (TWO_OBSERVERS, "nominal", 0.095),
        (THREE_CODERS, "nominal", 0.691),
        (THREE_CODERS, "interval", 0.811),
    ],
)
def test_alpha_is_that_of_published_examples(
    observers: tuple[str, ...], level: Level, published: float
) -> None:
    assert krippendorff_alpha(counts(observers), level) == pytest.approx(published, abs=5e-4)


def test_alpha_at_its_limits() -> None:
    assert krippendorff_alpha([[2, 0, 0], [0, 3, 0], [0, 0, 2]]) == 1
    assert np.isnan(krippendorff_alpha([[2, 0], [3, 0]]))
    assert np.isnan(krippendorff_alpha([[1, 0], [0, 1]]))
    rng = np.random.default_rng(0)
    chance = rng.multinomial(3, [0.25] * 4, 2000)
    assert abs(krippendorff_alpha(chance)) < 0.03
    assert alpha_interval(counts(FOUR_OBSERVERS)) == pytest.approx((0.45, 1), abs=0.12)


def test_weighted_kappa_is_that_of_its_formula() -> None:
    first, second = np.array([0, 1, 2]), np.array([0, 1, 1])
    observed = ((first - second) ** 2).mean()
    expected = (np.subtract.outer(first, second) ** 2).mean()
    assert weighted_kappa(first, second, [0, 1, 2]) == pytest.approx(1 - observed / expected)
    assert np.isnan(weighted_kappa([1, 1], [1, 1], [0, 1]))
