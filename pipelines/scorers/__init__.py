"""Scorers: what people would say of a photo, behind one small protocol."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trigger.errors import OptionError, ScorerError

__all__ = ["SCORERS", "Scorer", "checked_distributions", "load_scorer", "mean_score"]


class Scorer(Protocol):
    """Something that predicts the distribution of human opinions on a photo.

    Attributes:
        name: word that stands in labels and on the command line.
        version: changes whenever the scores can change; labels of two versions never mix.
        preprocessing: version of the preprocessing it applies to photos.
    """

    name: str
    version: str
    preprocessing: str

    def score(self, photos: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """N photos (H, W, 3) uint8 to (N, 10) float32: shares of opinions 1..10, summing to 1."""
        ...


# Imported on use: training a scorer must not need the packaged one.
SCORERS = {"nima": "pipelines.scorers.nima:NimaScorer"}


def load_scorer(spec: str) -> Scorer:
    """The scorer of that name.

    Raises:
        OptionError: the name is unknown.
    """
    if spec not in SCORERS:
        known = ", ".join(sorted(SCORERS))
        raise OptionError(f"scorer {spec!r} is unknown; known scorers: {known}")
    module, _, factory = SCORERS[spec].partition(":")
    scorer: Scorer = getattr(importlib.import_module(module), factory)()
    return scorer


def mean_score(distributions: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Mean opinion, 1..10: (N, 10) to (N,) float32."""
    return (distributions @ np.arange(1, 11)).astype(np.float32)


def checked_distributions(
    scorer: Scorer, photos: Sequence[npt.NDArray[np.uint8]]
) -> npt.NDArray[np.float32]:
    """Score photos and verify that each row is a distribution.

    Raises:
        ScorerError: wrong shape, values that are not finite, or rows that do not sum to 1.
    """
    rows = np.asarray(scorer.score(photos), np.float32)
    if rows.shape != (len(photos), 10):
        raise ScorerError(
            f"scorer {scorer.name!r} returned shape {rows.shape} for {len(photos)} photos; "
            f"expected ({len(photos)}, 10)"
        )
    sums_to_one = np.allclose(rows.sum(axis=1), 1, atol=0.01)
    if not np.isfinite(rows).all() or (rows < 0).any() or not sums_to_one:
        raise ScorerError(
            f"scorer {scorer.name!r} returned rows that are not distributions over 1..10"
        )
    return rows
