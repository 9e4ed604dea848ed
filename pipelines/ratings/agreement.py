"""Agreement of raters beyond chance: Krippendorff's alpha, weighted kappa."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Level = Literal["nominal", "ordinal", "interval"]


def krippendorff_alpha(counts: npt.ArrayLike, level: Level = "ordinal") -> float:
    """Return Krippendorff's alpha: 1 perfect agreement, 0 chance, below 0 opposition.

    It takes any number of raters, and units that only some of them rated; units with one value
    do not count. K. Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011.

    Args:
        counts: (units, categories): how often each unit got each value, the categories in
            ascending order.
        level: how far apart two values are: nominal 0 or 1; interval by their numbers, taken to
            be equally spaced; ordinal by how many values lie between them.

    Returns:
        Alpha, at most 1; NaN where it is undefined: nothing was rated twice, or everything got
        the same value.

    Example:
        >>> krippendorff_alpha([[2, 0], [0, 2], [2, 0]])  # three units, two raters, all alike
        1.0
    """
    table = np.asarray(counts, np.float64)
    table = table[table.sum(1) >= 2]
    values = table.sum(0)  # how often each value occurs in pairable units
    total = values.sum()
    if np.count_nonzero(values) < 2:
        return float("nan")
    ordered_pairs = table[:, :, None] * table[:, None, :]
    ordered_pairs -= table[:, :, None] * np.eye(table.shape[1])  # no value pairs with itself
    coincidences = (ordered_pairs / (table.sum(1) - 1)[:, None, None]).sum(0)
    distances = _squared_distances(values, level)
    observed = (coincidences * distances).sum() / total
    expected = (np.outer(values, values) * distances).sum() / (total * (total - 1))
    return float(1 - observed / expected)


def alpha_interval(
    counts: npt.ArrayLike, level: Level = "ordinal", *, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of alpha over units; NaN where undefined."""
    table = np.asarray(counts, np.float64)
    table = table[table.sum(1) >= 2]
    if not len(table):
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    alphas = np.array(
        [
            krippendorff_alpha(table[rng.integers(0, len(table), len(table))], level)
            for _ in range(resamples)
        ]
    )
    alphas = alphas[np.isfinite(alphas)]
    if not len(alphas):
        return float("nan"), float("nan")
    low, high = np.percentile(alphas, [2.5, 97.5])
    return float(low), float(high)


def count_values(units: npt.ArrayLike, values: npt.ArrayLike, categories: list[int]) -> Values:
    """Count ratings into the table that ``krippendorff_alpha`` takes.

    Args:
        units: (n,) what was rated.
        values: (n,) the ratings, each one of the categories.
        categories: all possible values, ascending.
    """
    _, rows = np.unique(np.asarray(units), return_inverse=True)
    columns = np.searchsorted(categories, np.asarray(values))
    table = np.zeros((int(rows.max(initial=-1)) + 1, len(categories)))
    np.add.at(table, (rows, columns), 1)
    return table


def weighted_kappa(first: npt.ArrayLike, second: npt.ArrayLike, categories: list[int]) -> float:
    """Return Cohen's kappa of two raters with quadratic weights; NaN where undefined."""
    from sklearn.metrics import cohen_kappa_score  # slow to import

    a, b = np.asarray(first), np.asarray(second)
    if not len(a) or len(set(a.tolist()) | set(b.tolist())) < 2:
        return float("nan")
    return float(cohen_kappa_score(a, b, labels=categories, weights="quadratic"))


def _squared_distances(values: Values, level: Level) -> Values:
    if level == "nominal":
        return 1 - np.eye(len(values))
    if level == "interval":
        places = np.arange(len(values), dtype=np.float64)
    else:
        places = values.cumsum() - values / 2  # mid-ranks: their differences are the distances
    return (places[:, None] - places[None, :]) ** 2
