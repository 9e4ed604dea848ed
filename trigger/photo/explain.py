"""Turn what decoders raise into reasons that a person can act on."""

from __future__ import annotations

import struct
from typing import Literal

from PIL import Image

from trigger.errors import PhotoError


def explain(error: Exception, data: bytes, fmt: str, name: str) -> PhotoError:
    """Turn what Pillow raised into the PhotoError that a person can act on.

    Args:
        error: what Pillow raised.
        data: content of the file; empty where it is not known.
        fmt: as found.
        name: what the error calls the photo.
    """
    text = " ".join(str(error).split())
    lower = text.lower()
    if isinstance(error, MemoryError | Image.DecompressionBombError):
        return PhotoError(
            "too-many-pixels", name, f"this {fmt} photo needs more memory than there is ({text})."
        )
    if "not identified by this driver" in lower:  # the header parsed, but width x height is 0
        return PhotoError(
            "too-small", name, f"this {fmt} file holds no pixels: its width or height is 0."
        )
    if isinstance(error, EOFError) or "truncated" in lower or (data and _is_cut_short(data, fmt)):
        return PhotoError(
            "truncated",
            name,
            f"this {fmt} file is cut short ({text}). A photo with missing parts is not judged; "
            "copy or download it again.",
        )
    if "max_text" in lower:
        return PhotoError(
            "unsupported-format",
            name,
            f"this {fmt} file holds more text or a larger ICC profile than is read ({text}). "
            "Save a copy without metadata.",
        )
    damaged = lower.startswith("libtiff") and "not configured" not in lower
    if not damaged and any(
        hint in lower for hint in ("unsupported", "unknown", "cannot handle", "not support")
    ):
        return PhotoError(
            "unsupported-format",
            name,
            f"this kind of {fmt} file is not supported ({text}). Export it as JPEG or PNG.",
        )
    return PhotoError(
        "corrupt",
        name,
        f"this {fmt} file is damaged ({text or type(error).__name__}). "
        "Copy it again, or open it in another program and save it.",
    )


def _is_cut_short(data: bytes, fmt: str) -> bool:
    """Whether the container promises more bytes than there are (for decoders that do not say)."""
    if fmt == "WebP":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if fmt in {"AVIF", "HEIF"}:
        position = 0
        while position + 8 <= len(data):
            (size,) = struct.unpack_from(">L", data, position)
            if size == 0:  # this box goes on to the end of the file
                return False
            if size == 1:
                size = int.from_bytes(data[position + 8 : position + 16], "big")
            position += max(size, 8)
        return position != len(data)
    if fmt == "TIFF":  # the directory of tags often stands at the end
        order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
        start = int.from_bytes(data[4:8], order)
        entries = int.from_bytes(data[start : start + 2], order)
        return start + 2 + 12 * entries > len(data)
    return False
