"""Scorers: predict how people would rate the quality of a photo."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipelines.models.files import is_model_file
from pipelines.scorers.network_file import ModelFileScorer
from trigger.errors import OptionError, ScorerError

__all__ = ["DEFAULT_SCORER", "SCORERS", "Scorer", "checked_opinions", "load_scorer", "mean_score"]

TOLERANCE = 0.5
"""How far a mean may leave 1..10; a model on another scale leaves it by more."""


class Scorer(Protocol):
    """Something that predicts people's opinions of a photo's quality.

    Attributes:
        name: one word, used in labels and on the command line.
        version: changes whenever the scores can change; labels of two versions never mix.
        preprocessing: version of the preprocessing it applies to photos.
    """

    name: str
    version: str
    preprocessing: str

    def score(self, photos: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """Score N photos, (H, W, 3) uint8.

        Returns:
            (N, 10) float32: the shares of people who would answer 1..10, summing to 1; or (N, 1)
            float32: only their mean, 1..10.
        """
        ...


DEFAULT_SCORER = "nima"
# Imported on use: training a scorer must not need the packaged one.
SCORERS = {
    "nima": "pipelines.scorers.nima:NimaScorer",
    "alexnet-rank": "pipelines.scorers.alexnet_rank:AlexNetRankScorer",
}


def load_scorer(spec: str) -> Scorer:
    """Load the scorer of that name, or one from a model file.

    See :mod:`pipelines.scorers.network_file` for the model files. A SavedModel, and what a TF-Hub
    handle leads to, is a program that runs with the rights of this process: load only those that
    you trust.

    Raises:
        OptionError: the name is unknown, or the model file needs other options.
        ModelError: the model file is missing, damaged, or no scorer.

    Example:
        >>> from skimage.data import coffee
        >>> mean_score(load_scorer("nima").score([coffee()])).round(1)
        array([7.6], dtype=float32)
    """
    if spec in SCORERS:
        module, _, factory = SCORERS[spec].partition(":")
        scorer: Scorer = getattr(importlib.import_module(module), factory)()
        return scorer
    if is_model_file(spec.partition("#")[0]):
        return ModelFileScorer(spec)
    raise OptionError(
        f"scorer {spec!r} is unknown; give one of {', '.join(sorted(SCORERS))}, a .tflite file, a "
        "SavedModel directory or a TF-Hub handle"
    )


def mean_score(opinions: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return mean opinions, 1..10, (N,) float32, of distributions (N, 10) or means (N, 1).

    Example:
        >>> mean_score(np.eye(10, dtype=np.float32)[:2])
        array([1., 2.], dtype=float32)
    """
    if opinions.shape[1] == 1:
        return opinions[:, 0]
    return (opinions @ np.arange(1, 11)).astype(np.float32)


def checked_opinions(
    scorer: Scorer, photos: Sequence[npt.NDArray[np.uint8]]
) -> npt.NDArray[np.float32]:
    """Score photos and verify that each row is a distribution over 1..10, or a mean on 1..10.

    Raises:
        ScorerError: wrong shape, values that are not finite, rows that do not sum to 1, or means
            beyond 1..10 by more than half a point.

    Example:
        >>> photos = [np.zeros((64, 64, 3), np.uint8)]
        >>> checked_opinions(load_scorer("nima"), photos).shape
        (1, 10)
    """
    rows = np.asarray(scorer.score(photos), np.float32)
    if rows.shape not in ((len(photos), 10), (len(photos), 1)):
        raise ScorerError(
            f"scorer {scorer.name!r} returned shape {rows.shape} for {len(photos)} photos; "
            f"expected ({len(photos)}, 10), distributions, or ({len(photos)}, 1), means"
        )
    if rows.shape[1] == 1:
        if not ((rows >= 1 - TOLERANCE) & (rows <= 10 + TOLERANCE)).all():
            raise ScorerError(
                f"scorer {scorer.name!r} returned {rows.min():.4g} to {rows.max():.4g}; a mean "
                "opinion is from 1 to 10; scale the model's output to that"
            )
    elif (rows < 0).any() or not np.allclose(rows.sum(axis=1), 1, atol=0.01):
        raise ScorerError(
            f"scorer {scorer.name!r} returned rows that are not distributions over 1..10"
        )
    return rows
