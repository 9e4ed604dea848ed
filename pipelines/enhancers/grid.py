"""Where the 8x8 blocks of JPEG lie in a photo that may have been cropped since."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipelines.enhancers.classical import BLOCK
from pipelines.pixels import FloatPhoto

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
CERTAINTY = 4.0
"""Standard errors by which steps on the grid must exceed steps elsewhere."""


def find_grid(photo: FloatPhoto) -> tuple[int, int] | None:
    """The first row and the first column, 0..7 each, at which a block begins.

    Across the border of two blocks a photo steps more than just before and just after it. Steps are
    compared in ranks of lines, so that no single contour of the scene can pass for a grid.

    Args:
        photo: (H, W, 3) float32 RGB in [0, 1].

    Returns:
        None where no grid shows in both directions: never compressed, hardly, or resized since.
    """
    luma = photo @ LUMA
    row, column = _first_border(luma), _first_border(luma.T)
    return None if row is None or column is None else (row, column)


def _first_border(luma: npt.NDArray[np.float32]) -> int | None:
    step = np.abs(np.diff(luma, axis=0))
    excess = (2 * step[1:-1] > step[:-2] + step[2:]).mean(axis=1)  # share of pixels of each line
    lines = len(excess) // BLOCK * BLOCK
    if lines < 2 * BLOCK:
        return None
    phases = excess[:lines].reshape(-1, BLOCK)
    means = phases.mean(axis=0)
    best = int(means.argmax())
    others = np.delete(phases, best, axis=1)
    error = others.std() / np.sqrt(len(phases))
    if means[best] - others.mean() < CERTAINTY * error:
        return None
    return (best + 2) % BLOCK
