"""Degradation as cameras make it: blur, sensor noise behind a mosaic, in-camera processing, JPEG.

The formula of :mod:`pipelines.degradation.model` works on stored values; phones hardly make such
faults. Here light is blurred and measured in linear values behind a Bayer mosaic, then denoised,
sharpened, resized and compressed as a camera, an app and a messenger do it. After Brooks et al.,
"Unprocessing Images for Learned Raw Denoising", CVPR 2019, arXiv:1811.11127, simplified: one
gamma curve, one white balance, no color matrix.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.data.pixels import FloatPhoto, Pixels, to_pixels
from pipelines.degradation.model import jpeg_bytes
from trigger.photo import read_photo

GAMMA = np.float32(2.2)
WHITE_BALANCE = (2.0, 1.0, 1.7)
"""Gains of red, green and blue in daylight."""
BAYER = {(0, 0): 0, (0, 1): 1, (1, 0): 1, (1, 1): 2}
"""Channel that each place of a 2x2 tile of the mosaic measures."""
SHAKE_STEPS = 200
SHAKE_TURN = 0.05
"""Radians by which the direction of a shake changes in one of its steps."""


@dataclass(frozen=True)
class CameraFactors:
    """What a camera does to a photo. The defaults do nothing.

    Attributes:
        defocus: sigma of the Gaussian blur, in pixels of the photo.
        shake: length of the curve along which the hand moved, in pixels of the photo.
        photon_noise: variance of the noise per unit of linear light (Poisson part).
        read_noise: standard deviation of the noise in linear light (Gaussian part).
        scale: sides of the photo divided by those of the sensor's picture, 0..1.
        luma_denoise: strength of the camera's own denoising, in deviations of the noise.
        chroma_denoise: sigma of the smoothing of color differences, in sensor pixels.
        sharpening: amount of the unsharp mask that the camera applies.
        enlargement: how many times smaller the photo was once, before it was enlarged again.
        qualities: of JPEG, one for each time that it was saved.
    """

    defocus: float = 0.0
    shake: float = 0.0
    photon_noise: float = 0.0
    read_noise: float = 0.0
    scale: float = 1.0
    luma_denoise: float = 0.0
    chroma_denoise: float = 0.0
    sharpening: float = 0.0
    enlargement: float = 1.0
    qualities: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The factors that differ from doing nothing."""
        idle = asdict(CameraFactors())
        return {name: value for name, value in asdict(self).items() if value != idle[name]}


def random_camera_factors(rng: np.random.Generator) -> CameraFactors:
    """Draw factors of varied strength: from a good photo, saved once, to a poor one."""
    defocus = rng.uniform(0.3, 1.6) if rng.random() < 0.55 else 0.0
    shake = rng.uniform(1.5, 7) if rng.random() < 0.12 else 0.0
    photon_noise = read_noise = 0.0
    if rng.random() < 0.75:
        photon_noise = np.exp(rng.uniform(np.log(2e-4), np.log(1.2e-2)))
        read_noise = np.exp(rng.uniform(np.log(5e-4), np.log(1.2e-2)))
    scale = rng.choice([1.0, rng.uniform(0.5, 1)])
    luma_denoise = rng.choice([0, rng.uniform(0.3, 1.5)])
    chroma_denoise = rng.choice([0, rng.uniform(0.5, 2.5)])
    sharpening = rng.choice([0, rng.uniform(0.1, 0.9)])
    enlargement = rng.uniform(1.15, 2.0) if rng.random() < 0.12 else 1.0
    qualities = [int(rng.integers(60, 97))]
    if rng.random() < 0.25:  # a messenger compresses once more
        qualities.append(int(rng.integers(70, 97)))
    return CameraFactors(
        defocus=float(defocus),
        shake=float(shake),
        photon_noise=float(photon_noise),
        read_noise=float(read_noise),
        scale=float(scale),
        luma_denoise=float(luma_denoise),
        chroma_denoise=float(chroma_denoise),
        sharpening=float(sharpening),
        enlargement=float(enlargement),
        qualities=tuple(qualities),
    )


def camera_pair(
    photo: FloatPhoto, factors: CameraFactors, rng: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """A photo as the best camera would have given it, and as this one did.

    The first is sharpened like the second, so that whoever learns from the pair does not learn to
    take sharpening back.

    Args:
        photo: (H, W, 3) float32 in [0, 1], flawless.
        factors: what the camera does.
        rng: source of the shake and the noise.

    Returns:
        Two arrays (H, W, 3) uint8.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> photo = rng.random((64, 64, 3), np.float32)
        >>> flawless, taken = camera_pair(photo, random_camera_factors(rng), rng)
        >>> taken.shape
        (64, 64, 3)
    """
    size = photo.shape[0], photo.shape[1]
    flawless = np.clip(_sharpened(photo, factors.sharpening), 0, 1)
    # The mosaic has tiles of 2x2 pixels.
    sensor = tuple(max(2, round(side / factors.scale) // 2 * 2) for side in size)
    light = np.clip(_resized(photo, (sensor[0], sensor[1])), 0, 1) ** GAMMA
    if factors.defocus:
        sigma = factors.defocus / factors.scale
        light = cv2.GaussianBlur(light, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    if factors.shake:
        kernel = shake_kernel(factors.shake / factors.scale, rng)
        light = cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    light = np.clip(light, 0, 1)
    taken = light
    if factors.photon_noise:
        taken = np.clip(light + _developed_noise(light, factors, rng), 0, 1)
    taken = taken ** (1 / GAMMA)
    if factors.photon_noise:
        taken = _denoised_in_camera(taken, light ** (1 / GAMMA), factors)
    taken = np.clip(_sharpened(_resized(taken, size), factors.sharpening), 0, 1)
    if factors.enlargement > 1:
        height, width = (max(1, int(side / factors.enlargement)) for side in size)
        taken = np.clip(_resized(_resized(taken, (height, width)), size), 0, 1)
    pixels = to_pixels(taken)
    for quality in factors.qualities:
        pixels = _saved(pixels, quality)
    return to_pixels(flawless), pixels


def shake_kernel(length: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Blur kernel of a hand that moves along a random curve of ``length`` pixels; sums to 1."""
    turns = SHAKE_TURN * rng.standard_normal(SHAKE_STEPS)
    direction = rng.uniform(0, 2 * np.pi) + np.cumsum(turns)
    steps = np.array([np.cos(direction), np.sin(direction)])
    x, y = np.cumsum(steps, axis=1) * length / SHAKE_STEPS
    radius = int(np.ceil(length)) + 1
    edges = np.arange(-radius - 0.5, radius + 1)
    kernel, *_ = np.histogram2d(y - y.mean(), x - x.mean(), bins=(edges, edges))
    return np.asarray(kernel / kernel.sum())


def _developed_noise(
    light: FloatPhoto, factors: CameraFactors, rng: np.random.Generator
) -> FloatPhoto:
    """What noise of the sensor becomes behind demosaicing and white balance, (H, W, 3).

    It is the difference of two developed pictures, since demosaicing blurs too.
    """
    sensed = np.empty(light.shape[:2], np.float32)
    gains = np.empty_like(sensed)
    for (top, left), channel in BAYER.items():
        gains[top::2, left::2] = WHITE_BALANCE[channel]
        sensed[top::2, left::2] = light[top::2, left::2, channel] / WHITE_BALANCE[channel]
    deviation = np.sqrt(factors.photon_noise * sensed + factors.read_noise**2)
    noise = deviation * rng.standard_normal(sensed.shape, np.float32)

    def developed(values: FloatPhoto) -> FloatPhoto:
        mosaic = (np.clip(values * gains, 0, 1) * 65535).astype(np.uint16)
        return cv2.cvtColor(mosaic, cv2.COLOR_BayerRGGB2RGB_EA).astype(np.float32) / 65535

    return developed(sensed + noise) - developed(sensed)


def _denoised_in_camera(
    taken: FloatPhoto, noiseless: FloatPhoto, factors: CameraFactors
) -> FloatPhoto:
    """Smooth luma where it varies by about the noise, and color differences everywhere."""
    if not factors.luma_denoise and not factors.chroma_denoise:
        return taken
    ycc = cv2.cvtColor(taken, cv2.COLOR_RGB2YCrCb)
    if factors.luma_denoise:
        deviation = float(np.std((taken - noiseless).mean(axis=2))) + 1e-4
        strength = 2 * factors.luma_denoise * deviation
        ycc[..., 0] = cv2.bilateralFilter(ycc[..., 0], 5, strength, 1.5)
    if factors.chroma_denoise:
        ycc[..., 1:] = cv2.GaussianBlur(ycc[..., 1:], (0, 0), factors.chroma_denoise)
    return cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB)


def _sharpened(photo: FloatPhoto, amount: float) -> FloatPhoto:
    return photo + amount * (photo - cv2.GaussianBlur(photo, (0, 0), 1.0)) if amount else photo


def _resized(photo: FloatPhoto, size: tuple[int, int]) -> FloatPhoto:
    larger = size[0] * size[1] > photo.shape[0] * photo.shape[1]
    method = cv2.INTER_CUBIC if larger else cv2.INTER_AREA
    return cv2.resize(photo, (size[1], size[0]), interpolation=method)


def _saved(pixels: Pixels, quality: int) -> Pixels:
    """As JPEG with 4:2:0 chroma and back."""
    return read_photo(jpeg_bytes(pixels, quality)).pixels
