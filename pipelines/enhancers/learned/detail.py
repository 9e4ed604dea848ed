"""Give fine texture back that a repair took for noise.

A repair may remove about as much fine detail as there is noise: as much as the photo shows where it
is flattest, or as JPEG has left where blocks show. Where it removed more, the surplus was texture
(grass, bark, fur, cloth), and that share of the change of luma is undone. Changes of colour and
sharpening stay as they are.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.data.pixels import FloatPhoto, Pixels, to_float, to_pixels
from pipelines.enhancers.classical.grid import LUMA
from pipelines.enhancers.classical.shrinkage import SHRINKAGE, deblocking_threshold
from pipelines.enhancers.tiling import Tiling, tiled

Plane = npt.NDArray[np.float32]

FINE = 1.5
"""Sigma in pixels below which detail is fine."""
WINDOW = 9
"""Side in pixels of the windows in which detail is measured."""
SMOOTHING = 2.0
"""Sigma in pixels by which the share that is kept varies smoothly."""
REACH = 24
"""Pixels around a pixel that count, rounded up."""
TILE = (1024, 1024)
"""Windows keep memory small; they do not change the result."""
EPSILON = 1e-8
"""Keeps flat places from dividing by zero; far below the variance of rounding to 8 bits."""
FLAT_QUANTILE, FLAT_BIAS = 0.01, 1.75
"""The windows with the least detail show noise alone, a little less than there is on average."""
NOISE_ALLOWED = 2.5
"""Times the variance of the noise that a repair may remove."""
BLOCKS_ALLOWED = 0.25
"""Share of the deviation that blocks leave, for which deblocking may remove detail."""
DARK, BRIGHT = 0.04, 0.96
"""Luma beyond which noise may be clipped."""


def keep_detail(photo: FloatPhoto, repaired: FloatPhoto) -> FloatPhoto:
    """Undo the share of a repair that removed texture.

    Args:
        photo: (H, W, 3) float32 in [0, 1], before the repair.
        repaired: the same after it.

    Returns:
        (H, W, 3) float32 in [0, 1].

    Example:
        >>> keep_detail(photo, median_filtered)  # doctest: +SKIP
    """
    noise = noise_variance(photo)
    both: Pixels = np.concatenate([to_pixels(photo), to_pixels(repaired)], axis=2)

    def keep(window: Pixels) -> FloatPhoto:
        values = to_float(window)
        return _keep(values[..., :3], values[..., 3:], noise)

    return tiled(keep, both, Tiling(TILE, margin=REACH, blend=0))


def noise_variance(photo: FloatPhoto) -> float:
    """Estimate the variance of fine noise and of JPEG's errors, from the flattest places.

    Args:
        photo: (H, W, 3) float32 in [0, 1], before the repair.
    """
    luma = _luma(photo)
    energy = _energy(_fine(luma))
    unclipped = (luma > DARK) & (luma < BRIGHT)
    if unclipped.any():
        energy = energy[unclipped]
    noise = FLAT_BIAS * float(np.quantile(energy, FLAT_QUANTILE))
    blocks = BLOCKS_ALLOWED * deblocking_threshold(photo) / SHRINKAGE
    return max(noise, blocks**2)


def _keep(photo: FloatPhoto, repaired: FloatPhoto, noise: float) -> FloatPhoto:
    luma, repaired_luma = _luma(photo), _luma(repaired)
    change = repaired_luma - luma
    before, after = _energy(_fine(luma)), _energy(_fine(repaired_luma))
    removed = _energy(_fine(change))
    # 0 where detail became stronger (sharpening), 1 where none is left (smoothing).
    smoothed = np.clip((before - after) / (before + EPSILON), 0, 1)
    allowed = np.clip(NOISE_ALLOWED * (noise + EPSILON) / (removed + EPSILON), 0, 1)
    undone = cv2.GaussianBlur(smoothed * (1 - allowed), (0, 0), SMOOTHING)
    return np.clip(repaired - (undone * change)[..., None], 0, 1)


def _luma(photo: FloatPhoto) -> Plane:
    return np.asarray(photo @ LUMA, np.float32)


def _fine(plane: Plane) -> Plane:
    return plane - cv2.GaussianBlur(plane, (0, 0), FINE)


def _energy(plane: Plane) -> Plane:
    """Mean square in windows."""
    return cv2.boxFilter(plane * plane, -1, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT)
