"""The ``alexnet-rank`` scorer, run by LiteRT: no TensorFlow in the labelling workers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipelines.scorers.packaged import open_packaged
from trigger.preprocessing import STANDARD

NAME = "alexnet-rank"
BUILT_BY = "python -m pipelines.scorers.rebuild_alexnet_rank DATA"


class AlexNetRankScorer:
    """AlexNet with a rank-based loss (Kong et al. 2016); see :mod:`pipelines.scorers.alexnet`.

    The model card is ``pipelines/scorers/models/alexnet-rank.md``.
    """

    name = NAME

    def __init__(self) -> None:
        self._network, self.version = open_packaged(NAME, BUILT_BY)
        self.preprocessing = STANDARD.version

    def score(self, photos: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """N photos (H, W, 3) uint8 to mean opinions (N, 1) float32.

        The mean over the photo and its mirror image.
        """
        seen = np.stack([STANDARD.apply(photo) for photo in photos])
        mirrored = np.ascontiguousarray(seen[:, :, ::-1])
        return (self._network(seen) + self._network(mirrored)) * np.float32(0.5)
