"""Faults as cameras make them, in linear light; no training of this project has seen these.

Training degrades stored values by one formula (:mod:`pipelines.degradation.model`). Here a hand
shakes along a curve, and noise comes from a sensor behind a mosaic of color filters: interpolation
and white balance leave it coarse, colored and strongest where it is dark.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from pipelines.data.pixels import FloatPhoto, Pixels, to_float, to_pixels

GAMMA = 2.2
GAINS = (2.0, 1.0, 1.7)  # red, green and blue of white balance in daylight
STEPS = 200
WANDERING = 0.05  # radians that the direction of a shake changes by in a step


def shaken(photo: Pixels, share: float, rng: np.random.Generator) -> Pixels:
    """A photo taken while the hand moved along a random curve.

    Args:
        photo: (H, W, 3) uint8.
        share: length of the curve, as a share of the longer side.
        rng: source of the curve.
    """
    length = share * max(photo.shape[:2])
    direction = rng.uniform(0, 2 * np.pi) + np.cumsum(WANDERING * rng.standard_normal(STEPS))
    x, y = np.cumsum([np.cos(direction), np.sin(direction)], axis=1) * length / STEPS
    radius = int(np.ceil(length)) + 1
    edges = np.arange(-radius - 0.5, radius + 1)
    kernel, *_ = np.histogram2d(y - y.mean(), x - x.mean(), bins=(edges, edges))
    light = cv2.filter2D(_linear(photo), -1, kernel / STEPS, borderType=cv2.BORDER_REFLECT_101)
    return _stored(light)


def grainy(photo: Pixels, photon_noise: float, read_noise: float, seed: int) -> Pixels:
    """A photo with the noise of a sensor, sharp as it was.

    Args:
        photo: (H, W, 3) uint8; an odd last row or column is dropped.
        photon_noise: variance per unit of linear light (Poisson part).
        read_noise: standard deviation in linear light, 0..1 (Gaussian part).
        seed: of the noise.
    """
    even = photo[: photo.shape[0] // 2 * 2, : photo.shape[1] // 2 * 2]
    light = _linear(even)
    # Interpolation blurs too; the difference that noise makes is noise alone.
    noise = _stored(_developed(light, photon_noise, read_noise, seed)).astype(np.int16)
    noise -= _stored(_developed(light, 0, 0, seed))
    return np.clip(even + noise, 0, 255).astype(np.uint8)


CAMERA: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "faint sensor noise": lambda photo, rng: grainy(photo, 0.002, 0.003, int(rng.integers(2**32))),
    "sensor noise": lambda photo, rng: grainy(photo, 0.006, 0.008, int(rng.integers(2**32))),
    "hand shake 1 %": lambda photo, rng: shaken(photo, 0.01, rng),
    "hand shake 3 %": lambda photo, rng: shaken(photo, 0.03, rng),
}
"""Name, and how a flawless photo gets the fault."""


def _linear(photo: Pixels) -> FloatPhoto:
    return to_float(photo) ** np.float32(GAMMA)


def _stored(light: FloatPhoto) -> Pixels:
    return to_pixels(np.clip(light, 0, 1) ** np.float32(1 / GAMMA))


def _developed(light: FloatPhoto, photon_noise: float, read_noise: float, seed: int) -> FloatPhoto:
    """What comes back from behind a Bayer mosaic, (H, W, 3) in [0, 1]."""
    sensed = np.empty(light.shape[:2], np.float32)
    gains = np.empty_like(sensed)
    for (top, left), channel in {(0, 0): 0, (0, 1): 1, (1, 0): 1, (1, 1): 2}.items():
        sensed[top::2, left::2] = light[top::2, left::2, channel] / GAINS[channel]
        gains[top::2, left::2] = GAINS[channel]
    deviation = np.sqrt(photon_noise * sensed + read_noise**2)
    sensed += deviation * np.random.default_rng(seed).standard_normal(sensed.shape, np.float32)
    mosaic = (np.clip(sensed * gains, 0, 1) * 65535).astype(np.uint16)
    developed = cv2.cvtColor(mosaic, cv2.COLOR_BayerRGGB2RGB)
    return np.asarray(developed, np.float32) / np.float32(65535)
