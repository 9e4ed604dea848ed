"""``deblocker``: JPEG repair by a network that comes with this package."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.data.pixels import FloatPhoto
from pipelines.enhancers.base import PhotoEnhancer
from pipelines.enhancers.classical.grid import find_grid
from pipelines.enhancers.classical.shrinkage import BLOCK
from pipelines.enhancers.learned.chroma import is_gray, to_gray
from pipelines.enhancers.tiling import Tiling, tiled
from pipelines.models.files import load_model_file, load_tflite
from trigger.packaged import read_packaged

MODELS = Path(__file__).parent / "models"
TILE = (512, 512)
REACH = 64
"""The network's reach in pixels, in whole blocks: windows with this margin leave no seam."""


class Deblocker(PhotoEnhancer):
    """Blind repair of JPEG blocks, ringing and lost color, on the grid that the photo shows.

    Photos without a visible grid are returned as they are: the network knows only aligned blocks.
    The model card is ``pipelines/enhancers/learned/models/deblocker.md``.
    """

    name = "deblocker"
    built_by = "trigger packaged rebuild deblocker DATA"

    def __init__(self, file: Path | None = None) -> None:
        """Load the packaged network, or one from a file.

        Raises:
            ModelError: it is missing, or was altered.
        """
        if file is None:
            packaged = read_packaged(MODELS, self.name, self.built_by)
            self._network = load_tflite(packaged.data, self.name)
        else:
            self._network = load_model_file(file)
        self.network_version = self._network.version
        self.version = f"2-{self.network_version}"  # 2: gray photos stay gray

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """Enhance a photo, (H, W, 3) float32 RGB in [0, 1]; the same object if there is no grid."""
        repaired = self.repair(photo)
        return to_gray(repaired) if repaired is not photo and is_gray(photo) else repaired

    def repair(self, photo: FloatPhoto) -> FloatPhoto:
        """As ``enhance``, but gray photos may come out with faint tints."""
        grid = find_grid(photo)
        if grid is None:
            return photo
        # Complete cropped blocks by reflection.
        top, left = (-first % BLOCK for first in grid)
        if top or left:
            photo = np.pad(photo, [(top, 0), (left, 0), (0, 0)], mode="symmetric")
        tiling = Tiling(TILE, margin=REACH, blend=0, align=BLOCK, pad_to=(BLOCK, BLOCK))
        return tiled(self._window, photo, tiling)[top:, left:]

    def _window(self, window: FloatPhoto) -> FloatPhoto:
        return np.clip(self._network(window[None])[0][0], 0, 1)
