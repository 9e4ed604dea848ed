"""Renew the thumbnail in EXIF data, in place: nothing else moves, no offset changes.

Maker notes hold offsets of their own that only their maker knows, so the data must keep their
layout. A thumbnail that cannot be replaced in its place is unlinked, since one of the old pixels
would be wrong.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping

from PIL import Image, ImageOps

from trigger.photo.encode import encode

PREFIX = b"Exif\0\0"
_JPEG_START, _JPEG_LENGTH = 0x0201, 0x0202
_QUALITIES = (90, 75, 60, 45, 30, 15)
_SAME_SHAPE = 0.03  # how far sides may be off before a thumbnail gets bars
_MAX_SIDE = 1024  # pixels of a side; larger pictures are not thumbnails


def renew_thumbnail(exif: bytes, photo: Image.Image) -> bytes:
    """Replace the thumbnail of the first picture by one of ``photo``.

    Args:
        exif: EXIF data, with or without the prefix "Exif".
        photo: the new picture, turned as the file stores it.

    Returns:
        EXIF data of the same length; the same object if it has no thumbnail or cannot be parsed.
    """
    prefix = PREFIX if exif.startswith(PREFIX) else b""
    tiff = bytearray(exif[len(prefix) :])
    order = {b"II": "<", b"MM": ">"}.get(bytes(tiff[:2]))
    if order is None:
        return exif
    try:
        (first,) = struct.unpack_from(f"{order}L", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, first)
        link = first + 2 + 12 * count
        (second,) = struct.unpack_from(f"{order}L", tiff, link)
        if second == 0:
            return exif
        entries = _entries(tiff, order, second)
    except struct.error:  # a directory points outside the data
        return exif
    old = _old_thumbnail(tiff, order, entries)
    new = _smaller_than(old, photo) if old else None
    if new is None:
        struct.pack_into(f"{order}L", tiff, link, 0)
    else:
        start, length = (_value(tiff, order, entries[tag]) for tag in (_JPEG_START, _JPEG_LENGTH))
        tiff[start : start + length] = new.ljust(length, b"\0")
        kind, _ = struct.unpack_from(f"{order}HL", tiff, entries[_JPEG_LENGTH] + 2)
        number = "H" if kind == 3 else "L"
        struct.pack_into(f"{order}{number}", tiff, entries[_JPEG_LENGTH] + 8, len(new))
    return prefix + bytes(tiff)


def _entries(tiff: bytearray, order: str, directory: int) -> dict[int, int]:
    """Where the entry of each tag is."""
    (count,) = struct.unpack_from(f"{order}H", tiff, directory)
    places = range(directory + 2, directory + 2 + 12 * count, 12)
    return {struct.unpack_from(f"{order}H", tiff, place)[0]: place for place in places}


def _value(tiff: bytearray, order: str, place: int) -> int:
    (kind,) = struct.unpack_from(f"{order}H", tiff, place + 2)
    return int(struct.unpack_from(f"{order}{'H' if kind == 3 else 'L'}", tiff, place + 8)[0])


def _old_thumbnail(tiff: bytearray, order: str, entries: Mapping[int, int]) -> bytes:
    """The JPEG that is there; empty for thumbnails of another kind."""
    if not {_JPEG_START, _JPEG_LENGTH} <= entries.keys():
        return b""
    start, length = (_value(tiff, order, entries[tag]) for tag in (_JPEG_START, _JPEG_LENGTH))
    data = bytes(tiff[start : start + length])
    return data if len(data) == length and data.startswith(b"\xff\xd8") else b""


def _smaller_than(old: bytes, photo: Image.Image) -> bytes | None:
    """A thumbnail as large as the old one, in no more bytes; None where that cannot be."""
    try:
        with Image.open(io.BytesIO(old), formats=["JPEG"]) as image:
            size = image.size
    except Exception:  # Pillow raises almost anything on crafted files
        return None
    if max(size) > _MAX_SIDE:
        return None
    stretch = (size[0] / size[1]) / (photo.width / photo.height)
    if abs(stretch - 1) <= _SAME_SHAPE:
        thumbnail = photo.resize(size, reducing_gap=2.0)
    else:
        thumbnail = ImageOps.pad(photo, size)
    for quality in _QUALITIES:
        data = encode(thumbnail, "JPEG", quality=quality)
        if len(data) <= len(old):
            return data
    return None
