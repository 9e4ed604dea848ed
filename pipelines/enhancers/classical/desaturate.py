"""``desaturate``: darken an overexposed photo, and give clipped light its likely brightness.

The model is the sensor of ``pipelines.degradation.model``: light above 1 / exposure was clipped.
The exposure is estimated from the share of clipped pixels and the brightness of the photo. The
photo is divided by it, except where it is clipped or nearly so: there it gets the mean brightness
of clipped light, between 1 / exposure and 1. Photos with little clipping, or that seem well
exposed, stay as they are. Detail lost in the light stays lost: it is evenly bright, but no longer
glaring.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.data.pixels import FloatPhoto
from pipelines.enhancers.base import PhotoEnhancer

CLIPPED = 0.99
MIN_CLIPPED_SHARE = 0.002
"""Share of pixels with a clipped channel below which nothing is done."""
MAX_WHITE_SHARE = 0.5
"""Share of purely white pixels from which a photo is taken for a page or a cut-out."""
MIN_LOG_EXPOSURE = 0.4
"""Logarithm of the exposure below which nothing is done."""
FILLING = 0.5
"""Where between 1 / exposure (0) and 1 (1) clipped light is put."""
SHOULDER = 0.8
"""Brightness from which light is raised towards that."""
GRAIN = (9, 0.1, 3.0)
"""Bilateral filter: diameter in pixels, sigma of brightness, sigma of distance."""
SAMPLE = 256
"""Longer side of the small version that is judged; averaging hides noise and lone bright pixels."""
# Ridge regression of the logarithm of the exposure on ``exposure_features``, from 150 photographs
# of BSDS500 (train and val), each as it is and twice with ``random_factors("saturation")``. Its
# standard error is 0.17 there, and 0.16 on 60 flawless photographs of the test set.
WEIGHTS = np.array([1.293, 0.224, -0.925, 0.118, -0.029, 0.622, -0.598, 0.224])
CONSTANT = -0.108


class Desaturating(PhotoEnhancer):
    """Repair of overexposed photos with clipped light."""

    name = "desaturate"
    version = "1"

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """Enhance a photo, (H, W, 3) float32 RGB in [0, 1]."""
        return desaturate(photo)


def desaturate(photo: FloatPhoto) -> FloatPhoto:
    """Undo overexposure; the same object if the photo is well exposed."""
    gain = exposure_gain(photo)
    return photo if gain is None else photo * gain


def exposure_gain(photo: FloatPhoto, *, without_grain: bool = False) -> FloatPhoto | None:
    """Return the factors that undo overexposure by multiplication.

    Args:
        photo: (H, W, 3) float32 in [0, 1].
        without_grain: measure brightness without grain (bilateral filter), which would be
            amplified, since the gain is steep in bright places.

    Returns:
        (H, W, 1) float32; None if the photo is well exposed.
    """
    features = exposure_features(photo)
    logarithm = float(WEIGHTS @ features + CONSTANT)
    white = features[1] ** 2
    if features[2] < MIN_CLIPPED_SHARE or white > MAX_WHITE_SHARE or logarithm < MIN_LOG_EXPOSURE:
        return None
    exposure = np.exp(np.float32(logarithm))
    # A function of the brightest channel, the same for all three: hues stay, rims cannot show.
    gain = photo.max(axis=2)
    if without_grain:
        gain = cv2.bilateralFilter(gain, *GRAIN)
    # Rising from 0 at the shoulder to 1 at white, squared so that it starts smoothly.
    gain -= SHOULDER
    gain *= 1 / (1 - SHOULDER)
    np.square(gain.clip(0, 1, out=gain), out=gain)
    # From 1 / exposure below the shoulder to a share of the way to 1 at white.
    gain *= FILLING * (exposure - 1)
    gain += 1
    gain /= exposure
    return gain[..., None]


def exposure_features(photo: FloatPhoto) -> npt.NDArray[np.float64]:
    """Return what the exposure is estimated from, in a small version of the photo.

    Returns:
        The root of the share of pixels with a clipped channel, the same with all of them clipped,
        the former share itself, and the quantiles 0.05, 0.25, 0.5, 0.75 and 0.95 of the mean of the
        channels.
    """
    scale = min(1, SAMPLE / max(photo.shape[:2]))
    height, width = (max(1, round(scale * side)) for side in photo.shape[:2])
    small = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    some = float((small.max(axis=2) >= CLIPPED).mean())
    every = float((small.min(axis=2) >= CLIPPED).mean())
    brightness = np.quantile(small.mean(axis=2), [0.05, 0.25, 0.5, 0.75, 0.95])
    return np.array([np.sqrt(some), np.sqrt(every), some, *brightness])
