"""The packaged NIMA scorer, run by LiteRT: no TensorFlow in the labelling workers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trigger.errors import ModelError
from trigger.litert import TfliteFunction
from trigger.preprocessing import STANDARD

MODELS = Path(__file__).parent / "models"


class NimaScorer:
    """Neural image assessment (Talebi & Milanfar 2018), trained by ``trigger train-scorer``.

    The model card is ``pipelines/scorers/models/NIMA.md``.
    """

    name = "nima"

    def __init__(self) -> None:
        card = json.loads((MODELS / "nima.json").read_text())
        data = (MODELS / card["file"]).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest != card["sha256"]:
            raise ModelError(
                f"{MODELS / card['file']}: sha256 is {digest}, expected {card['sha256']}; "
                f"the file was altered, reinstall the package"
            )
        self.version: str = card["version"]
        self.preprocessing = STANDARD.version
        self._network = TfliteFunction(data, signature="score")

    def score(self, photos: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """N photos (H, W, 3) uint8 to (N, 10) float32, rows summing to 1.

        The mean over the photo and its mirror image: deltas are small, and what the network gets
        wrong about one of the two it often gets right about the other.
        """
        seen = np.stack([STANDARD.apply(photo) for photo in photos])
        mirrored = np.ascontiguousarray(seen[:, :, ::-1])
        return (self._network(seen) + self._network(mirrored)) * np.float32(0.5)
