"""Render the pictures of a pair: one for the screen, one for zooming, a crop of the detail.

Both sides are decoded, scaled and compressed in the same way, so that the only difference a
rater can see is the enhancement. Compression is far finer than what is judged.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from annotation.manifest import Picture, Side
from pipelines.data.pixels import largest_window
from trigger.photo import read_photo
from trigger.photo.encode import jpeg_bytes, png_bytes

DISPLAY_SIDE = 1600
CROP_SIDE = 640
_MAP_SIDE = 320
_JPEG_QUALITY = 95


@dataclass(frozen=True)
class Rendered:
    """Both sides of a pair, the (left, top) of their crops, and the files by picture."""

    before: Side
    after: Side
    crop: tuple[int, int]
    files: dict[Picture, bytes]


def render(before: Image.Image, after: Image.Image) -> Rendered:
    """Render all pictures of a pair of RGB photos of one size."""
    left, top, right, bottom = most_changed(before, after)
    files: dict[Picture, bytes] = {}
    sides = []
    for photo in (before, after):
        display = photo.copy()
        display.thumbnail((DISPLAY_SIDE, DISPLAY_SIDE), Image.Resampling.LANCZOS)
        sides.append(
            Side(
                display=_add(files, display, "jpg"),
                crop=_add(files, photo.crop((left, top, right, bottom)), "png"),
                full=_add(files, photo, "jpg") if display.size != photo.size else None,
            )
        )
    return Rendered(sides[0], sides[1], (left, top), files)


def most_changed(
    before: Image.Image, after: Image.Image, side: int = CROP_SIDE
) -> tuple[int, int, int, int]:
    """Return the window where two photos differ most: left, top, right, bottom.

    Where they do not differ at all, it is the one in the middle.

    Args:
        before, after: RGB photos of one size.
        side: of the window, at most, in pixels.
    """
    width, height = before.size
    window = (min(side, width), min(side, height))
    shrink = max(1.0, max(width, height) / _MAP_SIDE)
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    changes = np.abs(_gray(before, size) - _gray(after, size))
    rows = max(1, min(size[1], round(window[1] / shrink)))
    columns = max(1, min(size[0], round(window[0] / shrink)))
    row, column = largest_window(changes, rows, columns)
    left = min(round(column * shrink), width - window[0])
    top = min(round(row * shrink), height - window[1])
    return left, top, left + window[0], top + window[1]


def degrade_strongly(photo: Image.Image) -> Image.Image:
    """Blur and compress a photo so that nobody would prefer it, visibly at any size."""
    blurred = photo.filter(ImageFilter.GaussianBlur(max(1.5, max(photo.size) / 180)))
    return read_photo(jpeg_bytes(blurred, quality=8, subsampling=2)).image


def content_features(photo: Image.Image) -> npt.NDArray[np.float32]:
    """Return the colors of a photo on an 8x8 grid, (192,) in 0..1, to compare content by."""
    small = photo.resize((8, 8), Image.Resampling.BOX)
    return np.asarray(small, np.float32).ravel() / np.float32(255)


def _gray(photo: Image.Image, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    return np.asarray(photo.convert("L").resize(size, Image.Resampling.BOX), np.float64)


def _add(files: dict[Picture, bytes], photo: Image.Image, extension: str) -> Picture:
    if extension == "png":
        data = png_bytes(photo, compress_level=3)
    else:
        data = jpeg_bytes(photo, quality=_JPEG_QUALITY)
    picture = Picture(f"{hashlib.sha256(data).hexdigest()}.{extension}", *photo.size)
    files[picture] = data
    return picture
