"""The classical blind enhancer: estimate the faults, repair those, leave the rest alone.

Four steps, each skipped where its estimator finds nothing to repair: deblocking; denoising, unless
deblocking has smoothed already; deblurring; and undoing overexposure. Each is an enhancer of its
own, too (``shrinkage``, ``deconvolution``, ``desaturate``).

Faults are estimated once for the whole photo; the first three repairs work in windows, so that a
photo of 12 megapixels takes less than 1 GB. No weights, deterministic, any photo size.
"""

from __future__ import annotations

from collections.abc import Callable

from pipelines.data.pixels import FloatPhoto
from pipelines.enhancers.base import PhotoEnhancer
from pipelines.enhancers.classical.deconvolution import BLUR_FLOOR, deblur
from pipelines.enhancers.classical.desaturate import desaturate
from pipelines.enhancers.classical.shrinkage import deblock, denoise

BLUR_FLOOR_REPAIRED = 0.9
"""Instead of ``BLUR_FLOOR`` after another repair, whose own smoothing looks like blur."""


class ClassicalEnhancer(PhotoEnhancer):
    """Blind repair of JPEG blocks or else noise, of blur and overexposure, without any weights."""

    name = "classical"
    version = "2"

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """Enhance a photo, (H, W, 3) float32 RGB in [0, 1]."""
        return desaturate(repair(photo, deblock))


def repair(photo: FloatPhoto, deblock: Callable[[FloatPhoto], FloatPhoto]) -> FloatPhoto:
    """Repair everything but overexposure; the same object if there is nothing to repair.

    Args:
        photo: (H, W, 3) float32 RGB in [0, 1].
        deblock: returns the same object where there are no blocks.
    """
    repaired = deblock(photo)
    if repaired is photo:
        repaired = denoise(photo)
    return deblur(repaired, BLUR_FLOOR if repaired is photo else BLUR_FLOOR_REPAIRED)
