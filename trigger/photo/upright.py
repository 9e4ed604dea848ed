"""Read the EXIF orientation and turn images upright."""

from __future__ import annotations

import struct

from PIL import Image

_ORIENTATION_TAG = 0x0112
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

    Read here rather than through Pillow, which warns about broken EXIF. Pillow itself turns
    TIFF upright, and pi_heif HEIF.
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


def to_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn an image upright that a file of this EXIF orientation (1 to 8) stores."""
    turn = _TRANSPOSE.get(orientation)
    return image if turn is None else image.transpose(turn)
