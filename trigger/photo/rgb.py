"""Convert what Pillow decodes (palettes, alpha, 16-bit and float gray) to 8-bit RGB."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

BACKGROUND = (255, 255, 255)
"""What shows through transparent pixels: white, as on most pages."""
GRAY_MODES = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"})

_BITS_PER_SAMPLE, _PHOTOMETRIC, _MAX_SAMPLE, _SAMPLE_FORMAT = 258, 262, 281, 339
_WHITE_IS_ZERO, _UNSIGNED = 0, 1
_BAND_PIXELS = 2**20
_NEAR_WHITE = 0.9  # of the largest value that so many bits hold: some pixel is nearly that bright


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image as 8-bit RGB, transparency flattened on ``BACKGROUND``.

    The image itself is returned if it is RGB without transparency. Palettes, YCbCr, LAB and CMYK
    are converted by Pillow, in bands of rows: whole copies would double the memory.
    """
    if image.mode.startswith("I") or image.mode == "F":
        return _wide_gray_to_rgb(image)
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    convert = _flatten if image.has_transparency_data else _convert
    return in_bands(image.size, lambda box: convert(image.crop(box)))


def in_bands(
    size: tuple[int, int], band_of: Callable[[tuple[int, int, int, int]], Image.Image]
) -> Image.Image:
    """Put an RGB image together from bands of rows.

    Args:
        size: width and height of the result.
        band_of: makes the RGB image of a box (left, top, right, bottom).
    """
    rgb = Image.new("RGB", size, BACKGROUND)
    for top, bottom in bands(size):
        rgb.paste(band_of((0, top, size[0], bottom)), (0, top))
    return rgb


def scale_to_8_bits(values: npt.NDArray[np.generic], white: float) -> npt.NDArray[np.uint8]:
    """Scale values so that ``white`` becomes 255; what lies outside 0..white is clipped."""
    with np.errstate(invalid="ignore", over="ignore"):
        gray = np.nan_to_num(values.astype(np.float32))
    scaled = np.clip(gray / np.float32(white), 0, 1) * 255
    eight_bits: npt.NDArray[np.uint8] = np.rint(scaled).astype(np.uint8)
    return eight_bits


def integer_white(highest: int, full: int) -> int:
    """Guess the white of whole numbers from their maximum.

    Cameras and scanners store 10, 12 or 14 bits in the low bits of 16. Read as 16 bits, such a
    photo is nearly black, so a maximum that 8 or 12 bits hold means 8 or 12 bits (of a photo in
    16 bits, all of it would be darker than 1/16 of white); 10 and 14 bits are assumed if the
    maximum is just below what they hold.

    Args:
        highest: maximum of all samples.
        full: the largest value of the file's data type.

    Example:
        >>> integer_white(4010, 65535), integer_white(30000, 65535)
        (4095, 65535)
    """
    if highest <= 255:
        return min(255, full)
    for bits in (10, 12, 14):
        white = 2**bits - 1
        if _NEAR_WHITE * white <= highest <= white:
            return white
    if highest <= 4095:
        return 4095
    return 65535 if highest <= 65535 < full else full


def float_white(values: npt.NDArray[np.floating]) -> float:
    """Guess the white of floats: 1, unless most samples lie above it; else 255 or 65535.

    Highlights above 1 are usual in linear photos, and are clipped. Photos on the scale of 255 or
    65535 have hardly any sample between 0 and 1.
    """
    positive = values[np.isfinite(values) & (values > 0)]
    if positive.size == 0 or np.mean(positive <= 1) >= 0.5:
        return 1.0
    return 255.0 if np.mean(positive <= 255) >= 0.99 else 65535.0


def _convert(band: Image.Image) -> Image.Image:
    return band.convert("RGB")


def _flatten(band: Image.Image) -> Image.Image:
    if band.mode == "La":
        band = band.convert("LA")
    rgba = band.convert("RGBA")
    flat = Image.new("RGB", rgba.size, BACKGROUND)
    flat.paste(rgba, mask=rgba.getchannel("A"))
    return flat


def _wide_gray_to_rgb(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS_PER_SAMPLE, (32 if image.mode in ("I", "F") else 16,))[0]
    white: float
    if image.mode == "F":
        white = float_white(values)
    else:
        signed = image.mode == "I" and tags.get(_SAMPLE_FORMAT, (0,))[0] != _UNSIGNED
        if image.mode == "I" and not signed:
            values = values.view(np.uint32)
        full = 2 ** (bits - 1 if signed else bits) - 1
        if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:  # Pillow inverts 8 bits only
            values = full - values
        highest = int(values.max())
        white = integer_white(highest, full) if bits >= 16 else full
        told = tags.get(_MAX_SAMPLE, (0,))[0] if tags.get(_PHOTOMETRIC) != _WHITE_IS_ZERO else 0
        if highest <= told <= full and told > 0:
            white = told
    transparent = image.info.get("transparency")

    def band_of(box: tuple[int, int, int, int]) -> Image.Image:
        rows = values[box[1] : box[3]]
        gray = scale_to_8_bits(rows, white)
        if isinstance(transparent, int):
            gray[rows == transparent] = BACKGROUND[0]
        return Image.fromarray(gray).convert("RGB")

    return in_bands(image.size, band_of)


def bands(size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the first row, and the row behind the last, of bands that make up an image."""
    rows = max(1, _BAND_PIXELS // size[0])
    for top in range(0, size[1], rows):
        yield top, min(top + rows, size[1])
