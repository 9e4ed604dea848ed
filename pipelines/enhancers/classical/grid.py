"""Find the 8x8 block grid of JPEG in a photo that may have been cropped since."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipelines.data.pixels import FloatPhoto
from pipelines.enhancers.classical.shrinkage import BLOCK

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
CERTAINTY = 3.0
"""Standard errors by which borders of blocks must stand out more often than any other lines."""


def find_grid(photo: FloatPhoto) -> tuple[int, int] | None:
    """Return the first row and the first column, 0..7 each, at which a block begins.

    At the border of two blocks a photo steps more than just before and just after it. Such places
    are counted, not summed, so that no contour of the scene can pass for a grid.

    Args:
        photo: (H, W, 3) float32 RGB in [0, 1].

    Returns:
        None if no grid shows in both directions: the photo was never compressed, or hardly.
        Enlarging by a whole factor can leave a grid that is found.
    """
    luma = photo @ LUMA
    row, column = _first_border(luma), _first_border(luma.T)
    return None if row is None or column is None else (row, column)


def _first_border(luma: npt.NDArray[np.float32]) -> int | None:
    step = np.abs(np.diff(luma, axis=0))
    standing_out = (2 * step[1:-1] > step[:-2] + step[2:]).mean(axis=1)  # share of each line
    lines = len(standing_out) // BLOCK * BLOCK
    if lines < 2 * BLOCK:
        return None
    phases = standing_out[:lines].reshape(-1, BLOCK)
    means = phases.mean(axis=0)
    error = phases.std(axis=0).max() / np.sqrt(len(phases))
    *_, second, best = means.argsort()
    if means[best] - means[second] <= CERTAINTY * error:
        return None
    return int(best + 2) % BLOCK
