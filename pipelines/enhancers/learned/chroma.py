"""Lightness and chroma of photos in CIE L*a*b* (sRGB, D65), and detection of gray ones."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.data.pixels import FloatPhoto

SIDE = 256
"""A photo is squeezed into this square for the network."""
CHROMA_SIDE = 64
"""Side of the square of chroma that the network returns."""
GRAY_TOLERANCE = 3.5 / 255
"""How far JPEG's rounding may set the channels of a gray photo apart."""
GRAY_EXCEPTIONS = 1e-3
"""Share of pixels that may be further apart than that."""
SURELY_COLOR = 24 / 255
"""Channels further apart than this are not rounding: a single such pixel is color."""
BAND = 256  # rows worked on at a time, to save memory

Plane = npt.NDArray[np.float32]


def is_gray(photo: FloatPhoto) -> bool:
    """Whether the channels are equal except for rounding; sepia and other tints are colors.

    Args:
        photo: (H, W, 3) float32 in [0, 1].
    """
    strays = 0
    for _, band in _bands(photo):
        apart = np.ptp(band, axis=2)
        if apart.max() > SURELY_COLOR:
            return False
        strays += int(np.count_nonzero(apart > GRAY_TOLERANCE))
    return strays <= GRAY_EXCEPTIONS * photo.shape[0] * photo.shape[1]


def to_gray(photo: FloatPhoto) -> FloatPhoto:
    """Average the channels, for networks that do not know gray photos; (H, W, 3) to the same."""
    return np.repeat(photo.mean(axis=2, keepdims=True), 3, axis=2)


def lightness_square(photo: FloatPhoto) -> npt.NDArray[np.uint8]:
    """Return the network's input: (SIDE, SIDE, 1) uint8, L* 0..100 as 0..255."""
    return np.rint(_squeezed(photo)[..., :1] * 2.55).clip(0, 255).astype(np.uint8)


def chroma_square(photo: FloatPhoto) -> Plane:
    """Return the network's target: (CHROMA_SIDE, CHROMA_SIDE, 2) float32, a* and b*."""
    size = (CHROMA_SIDE, CHROMA_SIDE)
    return cv2.resize(_squeezed(photo)[..., 1:], size, interpolation=cv2.INTER_AREA)


def colored(photo: FloatPhoto, chroma: Plane) -> FloatPhoto:
    """Give a photo the chroma of a small square; its lightness stays.

    Args:
        photo: (H, W, 3) float32 in [0, 1].
        chroma: (S, S, 2) float32, a* and b* of the photo squeezed into a square.

    Returns:
        (H, W, 3) float32 in [0, 1]. Colors outside sRGB are clipped, which moves their lightness.
    """
    height, width = photo.shape[:2]
    rows = len(chroma)
    wide = cv2.resize(chroma, (width, rows), interpolation=cv2.INTER_LINEAR)
    result = np.empty_like(photo)
    for top, band in _bands(photo):
        # Interpolate linearly between the rows, as ``cv2.resize`` has done between columns.
        place = (np.arange(top, top + len(band), dtype=np.float32) + 0.5) * rows / height - 0.5
        place = place.clip(0, rows - 1)
        above = np.minimum(place.astype(int), rows - 2)
        share = (place - above)[:, None, None]
        lab = _lab(band)
        lab[..., 1:] = (1 - share) * wide[above] + share * wide[above + 1]
        result[top : top + len(band)] = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    return result.clip(0, 1, out=result)


def _squeezed(photo: FloatPhoto) -> FloatPhoto:
    return _lab(cv2.resize(photo, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def _lab(photo: FloatPhoto) -> FloatPhoto:
    return cv2.cvtColor(np.ascontiguousarray(photo, np.float32), cv2.COLOR_RGB2LAB)


def _bands(photo: FloatPhoto) -> Iterator[tuple[int, FloatPhoto]]:
    for top in range(0, len(photo), BAND):
        yield top, photo[top : top + BAND]
