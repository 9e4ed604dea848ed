"""Choose which photos are worth a rater's time.

Deltas fall into strata of equal width, with the threshold as the border of two. Every stratum gets
a share; those next to the threshold, where the decision is made, get about four times that of the
far ones. Within a stratum, each next photo is the one least like all chosen so far (farthest-first
traversal, Gonzalez 1985, doi:10.1016/0304-3975(85)90224-5), so that content is diverse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]
STRATA = 8
EMPHASIS = 3.0  # share of the strata next to the threshold, over that of the far ones, less 1


def strata_of(deltas: FloatArray, threshold: float) -> npt.NDArray[np.int64]:
    """Return the number of each delta's stratum: 0 begins at the threshold, -1 ends there.

    The bulk of the deltas (1st to 99th percentile) spans about ``STRATA``; the rest falls into
    the outermost ones.

    Args:
        deltas: (n,).
        threshold: delta from which a photo should be enhanced.
    """
    low, high = np.percentile(deltas, [1, 99])
    width = max(float(high - low) / STRATA, 1e-6)
    first, last = np.floor((np.array([low, high]) - threshold) / width)
    return np.clip(np.floor((deltas - threshold) / width), first, last).astype(np.int64)


def quotas(strata: npt.NDArray[np.int64], n: int) -> dict[int, int]:
    """Return how many of ``n`` each stratum gives, those nearest to the threshold first.

    Where a stratum has too few photos, the others make up for it in proportion to their shares.

    Example:
        >>> quotas(np.array([-1, -1, -1, 0, 0, 0, 5]), 4)
        {-1: 2, 0: 2, 5: 0}
    """
    found, counts = np.unique(strata, return_counts=True)
    nearest = np.argsort(np.abs(found + 0.5), kind="stable")
    found, counts = found[nearest], counts[nearest]
    # Bell curve centered on the threshold, which is between the strata -1 and 0.
    shares = 1 + EMPHASIS * np.exp(-0.5 * (found + 0.5) ** 2)
    n = min(n, int(counts.sum()))
    # Bisection for the largest factor at which the strata together yield at most n photos.
    low, high = 0.0, float(n)
    for _ in range(60):
        middle = (low + high) / 2
        if np.minimum(np.floor(shares * middle), counts).sum() <= n:
            low = middle
        else:
            high = middle
    given = np.minimum(np.floor(shares * low), counts).astype(int)
    # The few that rounding left, one by one, to strata that have given least of their share.
    for i in np.argsort(given / shares, kind="stable").tolist() * 2:
        if given.sum() < n and given[i] < counts[i]:
            given[i] += 1
    return dict(zip(found.tolist(), given.tolist(), strict=True))


def choose(
    strata: npt.NDArray[np.int64],
    features: FloatArray,
    scenes: Sequence[str],
    quota: Mapping[int, int],
) -> list[int]:
    """Choose each stratum's quota of rows, one after the other the least like those before.

    Args:
        strata: (n,).
        features: (n, d), compared by Euclidean distance.
        scenes: (n,); photos of one scene count as alike whatever their features.
        quota: number of rows to choose from each stratum.
    """
    chosen: list[int] = []
    nearest = np.linalg.norm(features - features.mean(0), axis=1)  # the first: the most unusual
    names = np.array(scenes)
    for stratum, count in quota.items():
        open_rows = np.flatnonzero(strata == stratum)
        for _ in range(min(count, len(open_rows))):
            row = int(open_rows[nearest[open_rows].argmax()])
            open_rows = open_rows[open_rows != row]
            distances = np.linalg.norm(features - features[row], axis=1)
            distances[names == names[row]] = -1
            nearest = np.minimum(nearest, distances) if chosen else distances
            chosen.append(row)
    return chosen
