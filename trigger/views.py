"""Views of a photo for the model: the whole, or the whole and details at full resolution.

Squeezing a photo of many megapixels into 448x448 averages noise and compression away. Squares cut
from it at its own resolution still show them.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from trigger.errors import OptionError
from trigger.preprocessing import Preprocessing

Views = Literal["whole", "tiles"]
VIEWS: tuple[Views, ...] = get_args(Views)
REDUCED = 1.5
"""Photos whose longer side is below this many times the model's are hardly reduced: the whole
shows all that there is to see."""


def check_views(views: str) -> Views:
    """Return ``views``, or raise OptionError if it is none of ``VIEWS``."""
    for known in VIEWS:
        if views == known:
            return known
    raise OptionError(f"views is {views!r}; it must be one of {', '.join(VIEWS)}")


def show(
    image: Image.Image, preprocessing: Preprocessing, views: Views
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Cut and resize a photo for the model.

    Args:
        image: upright RGB; for ``tiles`` at full resolution.
        preprocessing: of the model, whose ``size`` is S.
        views: ``whole``: the photo squeezed into a square. ``tiles``: this, and of photos large
            enough (see ``REDUCED``) and at least S wide and high, four squares at full resolution,
            from the middle of each quarter.

    Returns:
        (N, S, S, 3) uint8 and the weights (N,) float32 with which their scores add up to the
        photo's: half for the whole, half for the tiles together.
    """
    whole = preprocessing.apply(image)
    size = preprocessing.size
    if views == "whole" or max(image.size) < REDUCED * size or min(image.size) < size:
        return whole[np.newaxis], np.ones(1, np.float32)
    corners = [
        (round(image.width * x) - size // 2, round(image.height * y) - size // 2)
        for y in (0.25, 0.75)
        for x in (0.25, 0.75)
    ]
    tiles = [_square(image, left, top, size) for left, top in corners]
    weights = np.array([0.5, *[0.5 / len(tiles)] * len(tiles)], np.float32)
    return np.stack([whole, *tiles]), weights


def _square(image: Image.Image, left: int, top: int, size: int) -> npt.NDArray[np.uint8]:
    """The square there, moved as little as keeps it inside the photo."""
    left = min(max(left, 0), image.width - size)
    top = min(max(top, 0), image.height - size)
    return np.asarray(image.crop((left, top, left + size, top + size)))
