"""Convert images between uint8 and float32 in [0, 1]."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from trigger.photo import Pixels

__all__ = ["FloatPhoto", "Pixels", "to_float", "to_pixels"]

FloatPhoto = npt.NDArray[np.float32]


def to_float(pixels: Pixels) -> FloatPhoto:
    """(H, W, 3) uint8 to float32 in [0, 1].

    Example:
        >>> to_float(np.array([0, 51, 255], np.uint8))
        array([0. , 0.2, 1. ], dtype=float32)
    """
    return np.divide(pixels, np.float32(255), dtype=np.float32)


def to_pixels(values: npt.NDArray[np.floating[Any]]) -> Pixels:
    """Values in [0, 1], clipped and rounded to uint8.

    Example:
        >>> to_pixels(np.array([-0.1, 0.2, 1.0], np.float32))
        array([  0,  51, 255], dtype=uint8)
    """
    scaled = np.clip(values, 0, 1)
    scaled *= 255  # in place: a large photo should not be in memory thrice
    return np.rint(scaled, out=scaled).astype(np.uint8)


def largest_window(
    values: npt.NDArray[np.floating[Any]], height: int, width: int
) -> tuple[int, int]:
    """Return top and left of the window with the largest sum; the middle one where all are alike.

    Args:
        values: (H, W).
        height, width: of the window, at most H and W.

    Example:
        >>> largest_window(np.eye(4)[::-1] * [0, 0, 2, 1], 2, 2)
        (0, 2)
    """
    sums = np.pad(values, ((1, 0), (1, 0))).cumsum(0, np.float64).cumsum(1)
    sums = sums[height:] - sums[:-height]
    sums = sums[:, width:] - sums[:, :-width]
    if sums.max() - sums.min() < 1e-6:
        return sums.shape[0] // 2, sums.shape[1] // 2
    top, left = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(top), int(left)
