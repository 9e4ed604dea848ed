"""``colorize``: give gray photos likely colors, and leave color photos alone.

A packaged network guesses chroma from the lightness of the whole photo; lightness stays. Sepia and
other tints are somebody's choice and count as colors. See ``models/colorize.md``.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.data.pixels import FloatPhoto
from pipelines.enhancers.base import PhotoEnhancer
from pipelines.enhancers.learned.chroma import CHROMA_SIDE, colored, is_gray, lightness_square
from trigger.litert import TfliteFunction
from trigger.packaged import read_packaged

MODELS = Path(__file__).parent / "models"


class ColorizeEnhancer(PhotoEnhancer):
    """The packaged network."""

    name = "colorize"
    built_by = "trigger packaged rebuild colorize DATA"

    def __init__(self) -> None:
        """Load the network.

        Raises:
            ModelError: it is missing, or was altered.
        """
        packaged = read_packaged(MODELS, self.name, self.built_by)
        self.version = packaged.version
        self._network = TfliteFunction(packaged.data, "serving_default", name=self.name)

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """Color a photo, (H, W, 3) float32 RGB in [0, 1]; the same object if it has colors."""
        if not is_gray(photo):
            return photo
        chroma = self._network(lightness_square(photo)[None])
        return colored(photo, chroma.reshape(CHROMA_SIDE, CHROMA_SIDE, 2))
