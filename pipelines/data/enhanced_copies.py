"""Enhanced photos as files, stored once with the labels and reused for other scorers."""

from __future__ import annotations

import hashlib
import io
from typing import Any, Literal

import numpy as np
from PIL.PngImagePlugin import PngImageFile, PngInfo

from pipelines.data.pixels import Pixels
from trigger.photo.encode import encode

EnhancedFormat = Literal["png", "jpeg", "webp"]
# PNG keeps what was scored, bit for bit; the others are for the eye and for small disks.
ENHANCED_FORMATS: dict[EnhancedFormat, dict[str, Any]] = {
    "png": {"compress_level": 1},
    "jpeg": {"quality": 95, "subsampling": 0},
    "webp": {"quality": 95},
}
ENHANCED_EXTENSIONS: dict[EnhancedFormat, str] = {"png": "png", "jpeg": "jpg", "webp": "webp"}
_SEAL = "pixels-sha256"


def encode_enhanced(pixels: Pixels, stored_as: EnhancedFormat) -> bytes:
    """Encode an enhanced photo; a PNG also records the hash of its pixels.

    Args:
        pixels: (H, W, 3) uint8.
        stored_as: format of the file.
    """
    settings = dict(ENHANCED_FORMATS[stored_as])
    if stored_as == "png":
        settings["pnginfo"] = PngInfo()
        settings["pnginfo"].add_text(_SEAL, _digest(pixels))
    return encode(pixels, stored_as, **settings)


def decode_enhanced(data: bytes) -> Pixels | None:
    """Decode a PNG by ``encode_enhanced``; None if its pixels differ from the recorded hash."""
    try:
        # Not by Image.open, which refuses photos larger than Pillow's own limit.
        image = PngImageFile(io.BytesIO(data))
        pixels, seal = np.array(image), image.text.get(_SEAL)
    except Exception:  # Pillow raises almost anything on damaged files
        return None
    return pixels if seal == _digest(pixels) else None


def _digest(pixels: Pixels) -> str:
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
