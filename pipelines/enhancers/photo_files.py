"""Photo files like others: new pixels in the format and with the metadata of an original."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from pipelines.data.pixels import Pixels
from trigger.errors import PhotoError
from trigger.photo.formats import detect_format, load_pixels, open_header
from trigger.photo.upright import as_stored, exif_data, orientation

WRITABLE = "JPEG, PNG, WebP and BMP"
_SETTINGS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "WebP": {"quality": 95, "method": 4},
    "BMP": {},
}
TINT = 4
"""Mean spread of the channels, of 255, below which the enhanced version of a gray photo is gray."""
_PNG_BIT_DEPTH = 24  # position of the byte in the file


def check_writable(data: bytes, name: str) -> None:
    """Make sure that ``encode_like`` loses nothing that matters of this photo file.

    Args:
        data: content of the file.
        name: what errors call it.

    Raises:
        PhotoError: ``unsupported-format``: another format than ``WRITABLE``, several pictures,
            transparency, more than 8 bits per channel, or colours other than RGB and gray.
    """
    fmt = detect_format(data, name)
    if fmt not in _SETTINGS:
        raise _refusal(name, f"{fmt} files are read but not written")
    with _open(data, fmt, name) as image:
        if getattr(image, "n_frames", 1) > 1:
            raise _refusal(name, "it is animated, and only its first picture would be left")
        if fmt == "PNG" and data[_PNG_BIT_DEPTH] > 8:
            raise _refusal(name, f"its {data[_PNG_BIT_DEPTH]} bits per channel would be cut to 8")
        if image.has_transparency_data:
            raise _refusal(name, "its transparency would be lost")
        if image.mode not in ("RGB", "L", "P"):
            raise _refusal(name, f"its colours ({image.mode}) would be converted to RGB")


def encode_like(pixels: Pixels, data: bytes, name: str) -> bytes:
    """Encode pixels as a file of the format of another, with its EXIF, ICC profile and resolution.

    Pixels are turned to the orientation that the EXIF data state, so these stay as they are, byte
    for byte. JPEG and lossy WebP get quality 95 (JPEG without chroma subsampling). Left out is
    what else the file may hold: XMP, comments, further pictures such as an HDR gain map. Gray
    photos stay gray unless they were given colours, for which their ICC profile does not hold.

    Args:
        pixels: (H, W, 3) uint8, upright.
        data: content of the original, which ``check_writable`` has accepted.
        name: what errors call it.

    Raises:
        PhotoError: the metadata cannot be written.
    """
    fmt = detect_format(data, name)
    with _open(data, fmt, name) as original:
        if fmt == "PNG":
            load_pixels(original, data, fmt)  # its metadata may lie behind them
        metadata = {key: original.info.get(key) for key in ("icc_profile", "dpi")}
        metadata["exif"] = exif_data(original)
        settings = _SETTINGS[fmt] | {key: value for key, value in metadata.items() if value}
        if fmt == "WebP" and b"VP8L" in data:
            settings["lossless"] = True
        stored = as_stored(Image.fromarray(pixels), orientation(original))
        if original.mode == "L":
            # An ICC profile for gray does not fit RGB, nor that of a photo that was given colours.
            if np.ptp(pixels, axis=2).mean() < TINT:
                stored = stored.convert("L")
            else:
                settings.pop("icc_profile", None)
    buffer = io.BytesIO()
    try:
        stored.save(buffer, fmt, **settings)
    except (ValueError, OSError, TypeError) as error:
        raise PhotoError(
            "unsupported-format", name, f"cannot be written with its metadata: {error}"
        ) from error
    return buffer.getvalue()


def _open(data: bytes, fmt: str, name: str) -> ImageFile.ImageFile:
    try:
        return open_header(data, fmt, name)
    except PhotoError:
        raise
    except Exception as error:  # Pillow raises almost anything on crafted files
        raise PhotoError("corrupt", name, f"has a damaged header: {error}") from error


def _refusal(name: str, why: str) -> PhotoError:
    return PhotoError(
        "unsupported-format",
        name,
        f"cannot be written safely: {why}. Written are {WRITABLE} files of one picture in 8-bit "
        "RGB or gray; save a copy as one of them and enhance that.",
    )
