"""Weight averaging: the mean of the weights before and after a training.

Training a trunk that already predicts deltas fits the new photos better and generalises worse to
others. The mean of both ends keeps nearly all of the new and most of the old (Wortsman et al.,
"Robust fine-tuning of zero-shot models", arXiv:2109.01903). The head is then fitted to the mean
trunk in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt

from pipelines.training.finetuning.head import RatedPhotos, fit_best_head, read_head, write_head


def average(trained: keras.Model, start: Sequence[npt.NDArray[np.float32]]) -> None:
    """Average the weights of a trained network with those it started from.

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
