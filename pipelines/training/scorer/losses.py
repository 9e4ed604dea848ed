"""Distributions of opinions 1..10, and the losses of the scorer."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt

BINS = np.arange(1, 11)
TYPICAL_DEVIATION = 1.76
"""Standard deviation of opinions on one photo; the median of LIVE Challenge, 19.6 of 100."""
DIFFERENCE_WEIGHT = 0.2
"""Weight of the difference loss; at an error of a point its gradient is about four times larger."""


def distribution(score: float, deviation: float = TYPICAL_DEVIATION) -> npt.NDArray[np.float32]:
    """Discretise a normal distribution over 1..10 so that its mean is the score.

    Args:
        score: mean opinion, 1..10.
        deviation: standard deviation of the opinions before they are cut to 1..10.

    Returns:
        (10,) float32 that sums to 1.

    Example:
        >>> round(float(distribution(5.5) @ BINS), 3)
        5.5
    """
    score = float(np.clip(score, 1.05, 9.95))
    # Cut off at 1 and 10, a normal has its mean elsewhere: find its center by bisection.
    low, high = -40.0, 51.0
    for _ in range(60):
        center = (low + high) / 2
        logits = -0.5 * ((BINS - center) / deviation) ** 2
        shares = np.exp(logits - logits.max())  # softmax
        shares /= shares.sum()
        if float(shares @ BINS) < score:
            low = center
        else:
            high = center
    return shares.astype(np.float32)


@keras.saving.register_keras_serializable("trigger")
def squared_emd(expected: keras.KerasTensor, predicted: keras.KerasTensor) -> keras.KerasTensor:
    """Squared earth mover's distance, r = 2 (Talebi & Milanfar 2018, equation 1), per photo."""
    difference = keras.ops.cumsum(predicted, axis=-1) - keras.ops.cumsum(expected, axis=-1)
    return keras.ops.mean(keras.ops.square(difference), axis=-1)


def mean_opinion(shares: keras.KerasTensor) -> keras.KerasTensor:
    """(N, 10) distributions over 1..10 to their (N,) means."""
    return keras.ops.sum(shares * keras.ops.arange(1, 11, dtype=shares.dtype), axis=-1)


@keras.saving.register_keras_serializable("trigger")
def opinion_loss(expected: keras.KerasTensor, predicted: keras.KerasTensor) -> keras.KerasTensor:
    """:func:`squared_emd`, plus the error of the score difference between batch neighbors.

    Labels are differences of scores. Two versions of one photo share most of their error, which
    hides the small difference between them from the squared distance alone; as neighbors in the
    batch they are compared directly (a ranking loss between versions of one photo: Liu et al.,
    RankIQA, ICCV 2017, arXiv:1707.08347).

    Args:
        expected: (N, 10) distributions.
        predicted: (N, 10).

    Returns:
        (N,).
    """
    error = mean_opinion(predicted) - mean_opinion(expected)
    differences = keras.ops.abs(error - keras.ops.roll(error, 1, axis=0))
    return squared_emd(expected, predicted) + DIFFERENCE_WEIGHT * differences


@keras.saving.register_keras_serializable("trigger")
def mean_error(expected: keras.KerasTensor, predicted: keras.KerasTensor) -> keras.KerasTensor:
    """Absolute error of the mean opinion, in points of 1..10, per photo."""
    return keras.ops.abs(mean_opinion(predicted) - mean_opinion(expected))
