"""The degradation model, a camera's faults as one formula: v = C(S(u * k) + n).

``u`` is a clean photo, ``k`` a blur kernel (motion, lens or Gaussian), ``S`` the sensor's
saturation with spill-over, ``n`` Poisson-Gaussian noise and ``C`` JPEG compression. All factors
are recorded in :class:`Factors`, so that a degraded photo can be made again from its record.
Arithmetic is done on the stored sRGB values in [0, 1]; a linear-light model would need the
camera's tone curve, which a JPEG does not carry.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import cv2
import numpy as np
from PIL import Image

from pipelines.data.pixels import FloatPhoto, Pixels, to_pixels
from trigger.errors import OptionError
from trigger.photo.encode import encode

Kernel = Literal["none", "motion", "disk", "gaussian"]
Kind = Literal["none", "noise", "blur", "jpeg", "saturation", "mixed"]
KINDS: tuple[Kind, ...] = get_args(Kind)
BEST_QUALITY = 95
"""Of JPEG; above it Pillow advises against, as files grow and photos hardly gain."""


@dataclass(frozen=True)
class Factors:
    """The factors of the degradation model. The defaults do nothing.

    Attributes:
        kernel: shape of the blur kernel k.
        blur: its size in pixels: length (motion), radius (disk) or sigma (Gaussian).
        angle: direction of motion in degrees, counter-clockwise from the horizontal.
        exposure: gain before the sensor clips, >= 1.
        spill: share (0..1) of the clipped light that flows into the neighborhood.
        photon_noise: variance of the noise per unit of signal (Poisson part).
        read_noise: standard deviation of the signal-independent noise (Gaussian part), 0..1.
        jpeg_quality: 1..``BEST_QUALITY``, or None for no compression.

    Example:
        >>> Factors(kernel="gaussian", blur=1.5).to_json()
        {'kernel': 'gaussian', 'blur': 1.5}
    """

    kernel: Kernel = "none"
    blur: float = 0.0
    angle: float = 0.0
    exposure: float = 1.0
    spill: float = 0.0
    photon_noise: float = 0.0
    read_noise: float = 0.0
    jpeg_quality: int | None = None

    def __post_init__(self) -> None:
        if self.kernel not in get_args(Kernel):
            raise OptionError(f"kernel {self.kernel!r} is unknown; use one of {get_args(Kernel)}")
        if self.kernel != "none" and not 0 < self.blur <= 64:
            raise OptionError(f"blur must lie in 0..64 pixels, got {self.blur}")
        if self.exposure < 1 or not 0 <= self.spill <= 1:
            raise OptionError(
                f"exposure must be >= 1 and spill in 0..1, got {self.exposure} and {self.spill}"
            )
        if self.photon_noise < 0 or self.read_noise < 0:
            raise OptionError("photon_noise and read_noise must not be negative")
        if self.jpeg_quality is not None and not 1 <= self.jpeg_quality <= BEST_QUALITY:
            raise OptionError(
                f"jpeg_quality must lie in 1..{BEST_QUALITY}, got {self.jpeg_quality}"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the factors that differ from doing nothing."""
        idle = asdict(Factors())
        return {name: value for name, value in asdict(self).items() if value != idle[name]}


def kernel_of(factors: Factors) -> FloatPhoto:
    """Return the blur kernel k, odd-sized, non-negative, summing to 1."""
    if factors.kernel == "none":
        return np.ones((1, 1), np.float32)
    if factors.kernel == "gaussian":
        radius = int(np.ceil(3.5 * factors.blur))
        line = np.exp(-0.5 * (np.arange(-radius, radius + 1) / factors.blur) ** 2)
        kernel = np.outer(line, line)
    else:
        # Drawn at eight times the size and averaged down, so that fractional sizes count.
        fine = 8
        extent = factors.blur / 2 if factors.kernel == "motion" else factors.blur
        radius = int(np.ceil(extent)) + 1
        axis = (np.arange((2 * radius + 1) * fine) + 0.5) / fine - radius - 0.5
        x, y = np.meshgrid(axis, -axis)
        if factors.kernel == "disk":
            mask = x**2 + y**2 <= factors.blur**2
        else:
            turn = np.deg2rad(factors.angle)
            along = x * np.cos(turn) + y * np.sin(turn)
            across = -x * np.sin(turn) + y * np.cos(turn)
            mask = (np.abs(along) <= factors.blur / 2) & (np.abs(across) <= 0.5)
        side = 2 * radius + 1
        kernel = mask.reshape(side, fine, side, fine).mean(axis=(1, 3))
    return (kernel / kernel.sum()).astype(np.float32)


def degrade(photo: FloatPhoto, factors: Factors, rng: np.random.Generator) -> Pixels:
    """Apply v = C(S(u * k) + n).

    Args:
        photo: (H, W, 3) float32 in [0, 1].
        factors: what to apply.
        rng: source of the noise.

    Returns:
        (H, W, 3) uint8. If ``jpeg_quality`` is set these are the decoded pixels of
        :func:`jpeg_bytes`.

    Example:
        >>> from skimage.data import coffee
        >>> from pipelines.data.pixels import to_float
        >>> rng = np.random.default_rng(0)
        >>> degrade(to_float(coffee()), Factors(jpeg_quality=30), rng).shape
        (400, 600, 3)
    """
    values = sensor(photo, factors, rng)
    if factors.jpeg_quality is None:
        return values
    with Image.open(io.BytesIO(jpeg_bytes(values, factors.jpeg_quality))) as image:
        return np.array(image.convert("RGB"))


def sensor(photo: FloatPhoto, factors: Factors, rng: np.random.Generator) -> Pixels:
    """Apply all but compression: S(u * k) + n, (H, W, 3) uint8."""
    values = np.asarray(photo, np.float32)
    if factors.kernel != "none":
        values = cv2.filter2D(values, -1, kernel_of(factors), borderType=cv2.BORDER_REFLECT_101)
    if factors.exposure > 1:
        exposed = values * factors.exposure
        excess = np.maximum(exposed - 1, 0)
        # Charge beyond the full well spreads to the neighbors: bright sources bloom.
        spread = cv2.GaussianBlur(excess, (0, 0), 0.01 * max(values.shape[:2]))
        values = np.minimum(exposed, 1) + factors.spill * spread
    if factors.photon_noise or factors.read_noise:
        signal = np.clip(values, 0, 1)
        deviation = np.sqrt(factors.photon_noise * signal + factors.read_noise**2)
        values = values + deviation * rng.standard_normal(values.shape, np.float32)
    return to_pixels(values)


def jpeg_bytes(pixels: Pixels, quality: int) -> bytes:
    """Apply C: encode as JPEG with 4:2:0 chroma, as phones do."""
    return encode(pixels, "JPEG", quality=quality, subsampling=2)


def random_factors(kind: Kind, rng: np.random.Generator) -> Factors:
    """Draw factors of varied strength, from barely visible to strong.

    Args:
        kind: one factor, ``mixed`` (two or three of them) or ``none``.
        rng: source of randomness.

    Example:
        >>> random_factors("jpeg", np.random.default_rng(0)).to_json()
        {'jpeg_quality': 28}
    """
    if kind == "none":
        return Factors()
    if kind not in KINDS:
        raise OptionError(f"kind {kind!r} is unknown; use one of {', '.join(KINDS)}")
    if kind == "mixed":
        parts = rng.permutation(["noise", "blur", "jpeg", "saturation"])[: rng.integers(2, 4)]
        fields: dict[str, Any] = {}
        for part in parts:
            fields |= random_factors(part, rng).to_json()
        return Factors(**fields)
    if kind == "noise":
        deviation = float(np.exp(rng.uniform(np.log(4), np.log(45)))) / 255
        photon = float(rng.uniform(0, 1))
        # Split the variance at mid-gray between the Poisson and the Gaussian part.
        return Factors(
            photon_noise=photon * deviation**2 / 0.5,
            read_noise=float(np.sqrt(1 - photon)) * deviation,
        )
    if kind == "blur":
        kernel: Kernel = rng.choice(["motion", "disk", "gaussian"])
        low, high = {"motion": (3, 17), "disk": (1, 5), "gaussian": (0.7, 3.5)}[kernel]
        return Factors(
            kernel=kernel,
            blur=float(np.exp(rng.uniform(np.log(low), np.log(high)))),
            angle=float(rng.uniform(0, 180)) if kernel == "motion" else 0.0,
        )
    if kind == "jpeg":
        return Factors(jpeg_quality=int(np.rint(np.exp(rng.uniform(np.log(5), np.log(75))))))
    return Factors(exposure=float(rng.uniform(1.2, 2.2)), spill=float(rng.uniform(0.1, 0.8)))
