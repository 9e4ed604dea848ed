"""The ``deblocker``: JPEG repair by a network of our own that comes with this package."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.data.pixels import FloatPhoto
from pipelines.enhancers.classical.grid import find_grid
from pipelines.enhancers.classical.shrinkage import BLOCK
from pipelines.enhancers.learned.chroma import is_gray, without_tints
from pipelines.enhancers.tiling import Tiling, tiled
from pipelines.models.files import load_model_file, load_tflite
from trigger.packaged import read_packaged

MODELS = Path(__file__).parent / "models"
TILE = (512, 512)
REACH = 64
"""Pixels, in whole blocks, from which the network draws: windows with this margin leave no seam."""


class Deblocker:
    """Blind repair of JPEG blocks, ringing and lost colour, on the grid that the photo shows.

    Photos that show no grid are returned as they are: the network knows aligned blocks alone. The
    model card is ``pipelines/enhancers/models/deblocker.md``.
    """

    name = "deblocker"
    tile_multiple = 1
    built_by = "python -m pipelines.packaging.deblocker DATA"

    def __init__(self, file: Path | None = None) -> None:
        """Load the packaged network, or one from a file.

        Raises:
            ModelError: it is not there, or was altered.
        """
        if file is None:
            _, data = read_packaged(MODELS, self.name, self.built_by)
            self._network = load_tflite(data, self.name)
        else:
            self._network = load_model_file(file)
        self.network_version = self._network.version
        self.version = f"2-{self.network_version}"  # 2: gray photos stay gray

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """(H, W, 3) float32 RGB in [0, 1] to the same; the same object where there is no grid."""
        repaired = self.repair(photo)
        return without_tints(repaired) if repaired is not photo and is_gray(photo) else repaired

    def repair(self, photo: FloatPhoto) -> FloatPhoto:
        """As ``enhance``, as the network gives it: gray photos may come out with faint tints."""
        grid = find_grid(photo)
        if grid is None:
            return photo
        # A block that was cropped is completed by reflection.
        top, left = (-first % BLOCK for first in grid)
        if top or left:
            photo = np.pad(photo, [(top, 0), (left, 0), (0, 0)], mode="symmetric")
        tiling = Tiling(TILE, margin=REACH, blend=0, align=BLOCK, pad_to=(BLOCK, BLOCK))
        return tiled(self._window, photo, tiling)[top:, left:]

    def _window(self, window: FloatPhoto) -> FloatPhoto:
        return np.clip(self._network(window[None])[0][0], 0, 1)
