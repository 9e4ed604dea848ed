"""Learning curve: AUC-PR on held-out scenes against the number of ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

from pipelines.training.finetuning.head import Head, RatedPhotos, fit_best_head

SIZES = (50, 100, 200, 350, 500, 700, 1000)
SEEDS = 10


@dataclass(frozen=True)
class Point:
    """AUC-PR of heads fitted to one number of rated photos.

    Attributes:
        ratings: rated photos to train on.
        scenes: mean number of scenes that they came from.
        mean: mean AUC-PR on the held-out photos.
        spread: standard deviation of it over the draws; 0 where all ratings are used.
        draws: how often scenes were drawn.
    """

    ratings: int
    scenes: float
    mean: float
    spread: float
    draws: int


def learning_curve(train: RatedPhotos, test: RatedPhotos, baseline: Head) -> list[Point]:
    """AUC-PR for "moderate or better" on ``test`` by heads that saw a part of ``train``.

    Whole scenes are drawn, since ratings come scene by scene; each head has a ridge of its own.

    Args:
        train: any number of photos; sizes above it are left out and all of it comes last.
        test: photos of other scenes, improvable and not.
        baseline: the head to start from.
    """
    points = []
    for size in [*(size for size in SIZES if size < len(train)), len(train)]:
        draws = [
            train[draw(train.scenes, size, seed)]
            for seed in range(SEEDS if size < len(train) else 1)
        ]
        areas = [_area(part, test, baseline) for part in draws]
        points.append(
            Point(
                ratings=size,
                scenes=float(np.mean([len(set(part.scenes)) for part in draws])),
                mean=float(np.mean(areas)),
                spread=float(np.std(areas)),
                draws=len(draws),
            )
        )
    return points


def draw(scenes: npt.NDArray[np.str_], size: int, seed: int) -> npt.NDArray[np.int_]:
    """Draw rows of ``size`` photos: whole scenes in random order, the last one cut."""
    names, scene_of = np.unique(scenes, return_inverse=True)
    place = np.random.default_rng(seed).permutation(len(names))
    return np.argsort(place[scene_of], kind="stable")[:size]


def _area(train: RatedPhotos, test: RatedPhotos, baseline: Head) -> float:
    head = fit_best_head(train, baseline)
    return float(average_precision_score(test.improvable, head.scores(test.features)))
