"""The mean of the weights that a training started from and ended with.

Going on from a trunk that already knows deltas, training fits its own photos ever better and loses
some of what held for others. The mean of both ends keeps nearly all that was learned and most of
what was known (Wortsman et al., "Robust fine-tuning of zero-shot models", arXiv:2109.01903). The
head is then to be fitted to the mean trunk in closed form, since neither end's is its best.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt

from pipelines.training.finetuning.head import RatedPhotos, fit_best_head, read_head, write_head


def average(trained: keras.Model, start: Sequence[npt.NDArray[np.float32]]) -> None:
    """Replace the weights of a trained network by the mean with those that it started from.

    Args:
        trained: changed in place.
        start: its weights before training, of ``get_weights``.
    """
    ends = zip(start, trained.get_weights(), strict=True)
    trained.set_weights([np.mean(pair, 0) for pair in ends])


def refit_head(
    trigger: keras.Model,
    features: npt.NDArray[np.float32],
    deltas: npt.NDArray[np.float32],
    scenes: npt.NDArray[np.str_],
) -> None:
    """Fit the head of a trigger to measured deltas.

    Args:
        trigger: changed in place.
        features: (n, 112) of its trunk.
        deltas: (n,) measured.
        scenes: (n,) names of scenes.
    """
    labelled = RatedPhotos(
        features.astype(np.float64), deltas.astype(np.float64), np.ones(len(deltas)), scenes
    )
    write_head(trigger, fit_best_head(labelled, read_head(trigger)))
