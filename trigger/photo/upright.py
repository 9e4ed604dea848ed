"""From whatever Pillow decoded to upright 8-bit RGB."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt
from PIL import Image

BACKGROUND = (255, 255, 255)
"""What shows through transparent pixels: white, as on most pages."""

_ORIENTATION_TAG, _BITS_PER_SAMPLE_TAG = 0x0112, 258
_PHOTOMETRIC_TAG, _WHITE_IS_ZERO = 262, 0
_SAMPLE_FORMAT_TAG, _UNSIGNED = 339, 1
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def exif_data(image: Image.Image) -> bytes:
    """Return the EXIF data as the file holds them, empty where there are none.

    A PNG may hold them behind its pixels, so it is to be loaded before, or as text in hexadecimal
    digits below three lines of heading, which is how ImageMagick long wrote them.
    """
    exif = image.info.get("exif")
    if isinstance(exif, bytes):
        return exif
    try:
        return bytes.fromhex("".join(image.info["Raw profile type exif"].split("\n")[3:]))
    except (KeyError, AttributeError, ValueError):
        return b""


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) where EXIF is absent or broken.

    Read here rather than through Pillow, which warns about broken EXIF. Pillow turns TIFF
    upright by itself, and pi_heif does so for HEIF.
    """
    tiff = exif_data(image).removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}4xL", tiff)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHLH", tiff, entry)
            if tag == _ORIENTATION_TAG:
                return value if kind == 3 and 1 <= value <= 8 else 1
    except struct.error:  # the directory points outside the data
        pass
    return 1


def is_sideways(image: Image.Image) -> bool:
    """Whether turning the image upright swaps its width and height."""
    return orientation(image) >= 5


def as_stored(upright: Image.Image, orientation: int) -> Image.Image:
    """Turn an upright image the way a file of this EXIF orientation (1 to 8) stores it."""
    turn = _TRANSPOSE.get({6: 8, 8: 6}.get(orientation, orientation))
    return upright if turn is None else upright.transpose(turn)


def to_upright_rgb(image: Image.Image) -> Image.Image:
    """Return the upright RGB image (the same object if it is one); colours as stored, no ICC.

    16-bit gray is scaled to 8 bits, integer and float gray by the smallest usual white
    (1, 255, 65535, ...) that 99 % of the samples stay below. Transparency is flattened on
    ``BACKGROUND``; CMYK, palettes, YCbCr and LAB are converted by Pillow.
    """
    turn = _TRANSPOSE.get(orientation(image))
    upright = image if turn is None else image.transpose(turn)
    tags = getattr(image, "tag_v2", {})
    if upright.mode.startswith("I;16"):
        white = 2 ** tags.get(_BITS_PER_SAMPLE_TAG, (16,))[0] - 1
        values = np.asarray(upright)
        if tags.get(_PHOTOMETRIC_TAG) == _WHITE_IS_ZERO:  # Pillow sees to that for 8 bits only
            values = white - values
        return _gray_to_rgb(values, float(white))
    if upright.mode == "I" and tags.get(_SAMPLE_FORMAT_TAG, (0,))[0] == _UNSIGNED:
        return _gray_to_rgb(np.asarray(upright).view(np.uint32), 255.0, 65535.0, 2.0**32 - 1)
    if upright.mode == "I" and tags.get(_BITS_PER_SAMPLE_TAG) == (16,):  # signed
        return _gray_to_rgb(np.asarray(upright), 2.0**15 - 1)
    if upright.mode == "I":
        return _gray_to_rgb(np.asarray(upright), 255.0, 65535.0, 2.0**31 - 1)
    if upright.mode == "F":
        return _gray_to_rgb(np.asarray(upright), 1.0, 255.0, 65535.0)
    if not upright.has_transparency_data:
        return upright if upright.mode == "RGB" else upright.convert("RGB")
    if upright.mode == "La":
        upright = upright.convert("LA")
    rgba = upright.convert("RGBA")
    flat = Image.new("RGB", rgba.size, BACKGROUND)
    flat.paste(rgba, mask=rgba.getchannel("A"))
    return flat


def _gray_to_rgb(values: npt.NDArray[np.generic], *whites: float) -> Image.Image:
    gray = np.nan_to_num(values.astype(np.float32))
    fitting = (white for white in whites[:-1] if np.mean(gray <= white) >= 0.99)
    white = next(fitting, whites[-1])
    scaled = np.clip(gray / white, 0, 1) * 255
    return Image.fromarray(np.rint(scaled).astype(np.uint8)).convert("RGB")
