"""The mean of the weights that a training started from and ended with.

Going on from a trunk that already knows deltas, training fits its own photos ever better and loses
some of what held for others. The mean of both ends keeps nearly all that was learned and most of
what was known (Wortsman et al., "Robust fine-tuning of zero-shot models", arXiv:2109.01903). The
head is then fitted to the mean trunk in closed form, since neither end's is its best.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt

from pipelines.head import RatedPhotos, fit_head, read_head, tune, write_head
from pipelines.networks import cut_trunk, predict_in_slices


def average(
    trained: keras.Model,
    start: Sequence[npt.NDArray[np.float32]],
    photos: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.intp],
    deltas: npt.NDArray[np.float32],
    scenes: npt.NDArray[np.str_],
) -> None:
    """Replace the weights of a trained trigger by the mean with those that it started from.

    Args:
        trained: a trigger network; changed in place.
        start: its weights before training, of ``get_weights``.
        photos: (M, 448, 448, 3) uint8.
        rows: (n,) which of them the head is fitted to.
        deltas: (n,) measured, of these.
        scenes: (n,) names of scenes, of these.
    """
    head = read_head(trained)
    trained.set_weights(
        [np.mean(pair, 0) for pair in zip(start, trained.get_weights(), strict=True)]
    )
    features = predict_in_slices(cut_trunk(trained), photos, rows).astype(np.float64)
    labelled = RatedPhotos(features, deltas.astype(np.float64), np.ones(len(rows)), scenes)
    write_head(trained, fit_head(labelled, head, tune(labelled, head).ridge))
