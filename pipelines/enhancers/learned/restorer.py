"""``restorer``: classical repairs, refined by a network that comes with this package.

The network sees the original photo and the result of the ``deblocker``, or else of denoising, and
of deblurring; it undoes what they overdid and continues where they did too little. Fine texture
that was taken for noise is given back at the end. Overexposure is left alone: taken back, clipped
skies and lamps turn gray (``desaturate`` does it on request).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from pipelines.data.pixels import FloatPhoto, Pixels, to_float, to_pixels
from pipelines.enhancers.base import PhotoEnhancer
from pipelines.enhancers.classical.enhancer import ClassicalEnhancer, repair
from pipelines.enhancers.classical.shrinkage import BLOCK
from pipelines.enhancers.learned.chroma import is_gray, to_gray
from pipelines.enhancers.learned.deblocker import MODELS, Deblocker
from pipelines.enhancers.learned.detail import keep_detail
from pipelines.enhancers.tiling import Tiling, tiled
from pipelines.models.files import load_model_file, load_tflite
from trigger.errors import ModelError
from trigger.packaged import read_packaged

TILE = (512, 512)
REACH = 48
"""The network's reach in pixels, rounded up: windows with this margin leave no seam."""


class Restorer(PhotoEnhancer):
    """Blind repair of JPEG blocks or else noise, of blur, and of their residue; texture is kept.

    Photos without any of that are returned as they are. The model card is
    ``pipelines/enhancers/learned/models/restorer.md``.
    """

    name = "restorer"
    built_by = "trigger packaged rebuild restorer DATA"

    def __init__(self, file: Path | None = None) -> None:
        """Load the packaged network, or one from a file.

        Raises:
            ModelError: it or the deblocker is missing, was altered, or was trained on the results
                of other repairs.
        """
        if file is None:
            packaged = read_packaged(MODELS, self.name, self.built_by)
            learned_from = packaged.facts["training"]["repaired_by"]
            if learned_from != first_repair_version():
                raise ModelError(
                    f"{MODELS / self.name}.json: was trained on the results of repairs "
                    f"{learned_from}, but these are repairs {first_repair_version()}; train it "
                    f"again with: {self.built_by}"
                )
            self._network = load_tflite(packaged.data, self.name)
        else:
            self._network = load_model_file(file)
        # 3: texture is kept, overexposure left alone
        self.version = f"3-{first_repair_version()}-{self._network.version}"

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """Enhance a photo, (H, W, 3) float32 RGB in [0, 1]."""
        repaired = first_repair(photo)
        if repaired is photo:
            return photo
        # In 8 bits, as in training; it also takes less memory.
        seen: Pixels = np.concatenate([to_pixels(repaired), to_pixels(photo)], axis=2)
        tiling = Tiling(TILE, margin=REACH, blend=0, align=BLOCK, pad_to=(BLOCK, BLOCK))
        refined = keep_detail(photo, tiled(self._window, seen, tiling))
        return to_gray(refined) if is_gray(photo) else refined

    def _window(self, window: Pixels) -> FloatPhoto:
        return np.clip(self._network(to_float(window)[None])[0][0], 0, 1)


def first_repair(photo: FloatPhoto) -> FloatPhoto:
    """Repair as before the network, (H, W, 3); the same object if there is nothing to repair."""
    return repair(photo, _deblocker().repair)


def first_repair_version() -> str:
    """Return a version that changes whenever the result of ``first_repair`` can change."""
    return f"{ClassicalEnhancer.version}-{_deblocker().network_version}"


@cache
def _deblocker() -> Deblocker:
    return Deblocker()
