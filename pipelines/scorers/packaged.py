"""Scorers whose networks come with this package, run by LiteRT without TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trigger.litert import TfliteFunction
from trigger.packaged import read_packaged
from trigger.preprocessing import STANDARD

MODELS = Path(__file__).parent / "models"


class PackagedScorer:
    """The network of ``models/NAME.json``.

    Attributes:
        name: of the scorer.
        built_by: command that makes and packages the network.
    """

    name: str
    built_by: str

    def __init__(self) -> None:
        """Load the network.

        Raises:
            ModelError: it is missing, or was altered.
        """
        packaged = read_packaged(MODELS, self.name, self.built_by)
        self.version = packaged.version
        self.preprocessing = STANDARD.version
        self._network = TfliteFunction(packaged.data, signature="score", name=self.name)

    def score(self, photos: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """Score N photos, (H, W, 3) uint8: (N, 10) or (N, 1) float32.

        The mean over the photo and its mirror image: deltas are small, and the errors of the
        network on the two partly cancel.
        """
        seen = np.stack([STANDARD.apply(photo) for photo in photos])
        mirrored = np.ascontiguousarray(seen[:, :, ::-1])
        return (self._network(seen) + self._network(mirrored)) * np.float32(0.5)
