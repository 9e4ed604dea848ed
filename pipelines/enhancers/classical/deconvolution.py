"""``deblur``: invert the estimated blur as far as noise allows, without halos.

The blur is taken for motion along a line if one direction is much wider than the other, else for
a Gaussian. The inverse is regularized (Gonzalez & Woods, "Digital Image Processing", 4th edition,
section 5.9), but towards the photo itself: detail that noise hides stays as it is. Values that
leave the range of the blurred neighborhood by more than a little are cut off, which removes halos
and hardly any texture.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft

from pipelines.data.pixels import FloatPhoto
from pipelines.degradation.model import Factors, kernel_of
from pipelines.enhancers.base import PhotoEnhancer
from pipelines.enhancers.classical.blur import estimate_blur, gaussian_kernel, refine_direction
from pipelines.enhancers.classical.shrinkage import (
    SHRINKAGE,
    deblocking_threshold,
    is_large_enough,
    noise_deviation,
)
from pipelines.enhancers.tiling import Tiling, tiled

# Chosen on windows of BSDS500 photographs with Gaussian blur, disks and motion of several sizes and
# directions, with and without noise and compression, by PSNR and by the NIMA score.
BLUR_FLOOR = 0.5
"""Pixels (sigma) of blur below which nothing is sharpened."""
MOTION_FLOOR = 1.2
"""Pixels (sigma of the widest direction) from which blur can be motion."""
MOTION_RATIO = 2.0
"""How many times wider than across it motion is."""
PENALTY = 0.006
"""Weight of the squared gradient of the change, for a photo without noise."""
PENALTY_OF_NOISE = 300.0
"""Added to ``PENALTY`` per variance of the noise."""
OVERSHOOT = 0.1
"""How far a pixel may leave the range of its neighborhood, as a share of that range."""
NEIGHBORHOOD, MOTION_NEIGHBORHOOD = 3, 5
"""Side of the neighborhood in pixels."""
BORDER = 32
"""Pixels by which windows are extended, since the Fourier transform is periodic."""
TILE = (1024, 1024)
MARGIN, MOTION_MARGIN = 48, 144
"""Pixels by which windows overlap; the inverse of motion rings far."""


class Deblurring(PhotoEnhancer):
    """Undoes blur of up to 4 pixels (sigma) and motion of up to 14."""

    name = "deblur"
    version = "2"

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """Enhance a photo, (H, W, 3) float32 RGB in [0, 1]."""
        return deblur(photo)


def deblur(photo: FloatPhoto, floor: float = BLUR_FLOOR) -> FloatPhoto:
    """Undo blur; the same object where the estimate stays below ``floor`` pixels (sigma)."""
    if not is_large_enough(photo):
        return photo
    along, across, direction = estimate_blur(photo)
    if max(along, across) < floor:
        return photo
    motion = along > max(MOTION_FLOOR, MOTION_RATIO * across)
    if motion:
        direction, along = refine_direction(photo, direction)
        # A line of length L has the deviation L / sqrt(12); rows count downwards.
        length = math.sqrt(12) * along
        kernel = kernel_of(Factors("motion", length, -math.degrees(direction)))
    else:
        kernel = gaussian_kernel(along, across, direction)
    # JPEG artifacts count as noise too, estimated by the deblocking threshold.
    noise = max(noise_deviation(photo), deblocking_threshold(photo) / SHRINKAGE)
    penalty = PENALTY + PENALTY_OF_NOISE * noise**2
    side = MOTION_NEIGHBORHOOD if motion else NEIGHBORHOOD

    def sharpen(window: FloatPhoto) -> FloatPhoto:
        return within_reach(window, deconvolve(window, kernel, penalty), side)

    margin = MOTION_MARGIN if motion else MARGIN
    return tiled(sharpen, photo, Tiling(TILE, margin, blend=16))


def deconvolve(photo: FloatPhoto, kernel: FloatPhoto, penalty: float) -> FloatPhoto:
    """Return the u that minimises |u * k - v|^2 + penalty * |grad (u - v)|^2.

    Args:
        photo: v, (H, W, 3) float32.
        kernel: k, odd-sized, summing to 1.
        penalty: above 0.

    Returns:
        (H, W, 3) float32; values may leave [0, 1].
    """
    # Extend by reflection to a size that the Fourier transform is fast for.
    height, width = photo.shape[:2]
    shape = [fft.next_fast_len(side + 2 * BORDER, real=True) for side in (height, width)]
    sides = [
        (BORDER, whole - side - BORDER) for side, whole in zip((height, width), shape, strict=True)
    ]
    padded = np.pad(photo, [*sides, (0, 0)], mode="symmetric")
    # The kernel's spectrum, with its center at the origin.
    rolled = np.zeros(shape, np.float32)
    rolled[: len(kernel), : len(kernel)] = kernel
    rolled = np.roll(rolled, (-(len(kernel) // 2),) * 2, (0, 1))
    blur = fft.rfft2(rolled)
    # The squared gradient in the frequency domain: 2 - 2 cos in each direction.
    roughness = (2 - 2 * np.cos(2 * np.pi * np.fft.fftfreq(shape[0])))[:, None] + (
        2 - 2 * np.cos(2 * np.pi * np.fft.rfftfreq(shape[1]))
    )
    # The minimum in closed form: (conj(k) + weight) / (|k|^2 + weight), 1 where the blur let
    # nothing through.
    weight = penalty * roughness
    inverse = ((np.conj(blur) + weight) / (np.abs(blur) ** 2 + weight)).astype(np.complex64)
    inside = _ramp(shape[0])[:, None] * _ramp(shape[1])
    result = np.empty_like(photo)
    for channel in range(3):
        plane = padded[..., channel]
        # Blurred across the border, increasingly towards it, so that opposite borders meet
        # smoothly.
        wrapped = fft.irfft2(fft.rfft2(plane) * blur, shape)
        plane = inside * plane + (1 - inside) * wrapped
        # Apply the inverse and cut the extension off.
        restored = fft.irfft2(fft.rfft2(plane) * inverse, shape)
        result[..., channel] = restored[BORDER : BORDER + height, BORDER : BORDER + width]
    return result


def within_reach(photo: FloatPhoto, sharp: FloatPhoto, side: int) -> FloatPhoto:
    """Cut off values that leave the range of their neighborhood (side x side) too far."""
    square = np.ones((side, side), np.uint8)
    low, high = cv2.erode(photo, square), cv2.dilate(photo, square)
    slack = OVERSHOOT * (high - low)
    return np.clip(np.clip(sharp, low - slack, high + slack), 0, 1)


def _ramp(length: int) -> npt.NDArray[np.float32]:
    """1 inside, falling to 0 over the border."""
    place = np.arange(length, dtype=np.float32)
    return np.minimum(1, (np.minimum(place, place[::-1]) + 1) / BORDER)
