"""Calibration: mean rating and share of improvable photos by score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.metrics import interval, resample_scenes
from pipelines.evaluation.records import Interval
from pipelines.ratings.table import IMPROVABLE

Values = npt.NDArray[np.float64]
MAX_BINS = 10
MIN_PHOTOS = 15  # in a bin


@dataclass(frozen=True)
class Bin:
    """Photos of about the same score, with 95 % bootstrap intervals that resample scenes.

    Attributes:
        photos: how many.
        score: their mean score.
        rating: their mean rating.
        rating_interval: of it.
        improvable: share of them that people called moderately improved or better.
        improvable_interval: of it.
    """

    photos: int
    score: float
    rating: float
    rating_interval: Interval | None
    improvable: float
    improvable_interval: Interval | None


def calibrate(ratings: Values, scores: Values, scenes: npt.NDArray[np.str_]) -> list[Bin]:
    """Return bins of equal numbers of photos, from the lowest scores to the highest.

    Args:
        ratings: (n,) mean ratings; n >= 1.
        scores: (n,) scores of the same photos, by a head that did not see their scenes.
        scenes: (n,) their scenes.
    """
    count = int(np.clip(len(scores) // MIN_PHOTOS, 1, MAX_BINS))
    bin_of = np.empty(len(scores), np.int_)
    bin_of[np.argsort(scores, kind="stable")] = np.arange(len(scores)) * count // len(scores)
    improvable = (ratings >= IMPROVABLE).astype(np.float64)
    samples: list[tuple[Values, Values]] = []
    for weights in resample_scenes(scenes):
        drawn = np.bincount(bin_of, weights, count)
        drawn[drawn == 0] = np.nan
        samples.append(
            (
                np.bincount(bin_of, weights * ratings, count) / drawn,
                np.bincount(bin_of, weights * improvable, count) / drawn,
            )
        )
    resampled = np.array(samples).reshape(-1, 2, count)
    return [
        Bin(
            photos=int(inside.sum()),
            score=float(scores[inside].mean()),
            rating=float(ratings[inside].mean()),
            rating_interval=_interval(resampled[:, 0, number]),
            improvable=float(improvable[inside].mean()),
            improvable_interval=_interval(resampled[:, 1, number]),
        )
        for number in range(count)
        for inside in [bin_of == number]
    ]


def _interval(samples: Values) -> Interval | None:
    return interval(samples[np.isfinite(samples)])
