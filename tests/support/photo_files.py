"""Photo files made by hand, for what no encoder would write."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from PIL import Image


def encode(image: Image.Image | np.ndarray, fmt: str, **options: Any) -> bytes:
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    content = io.BytesIO()
    image.save(content, fmt, **options)
    return content.getvalue()


def matrix_profile(columns: tuple[tuple[float, ...], ...], gamma: float) -> bytes:
    """An ICC profile of an RGB space; columns are the XYZ (D50) of red, green and blue."""
    return _profile(
        b"RGB ",
        dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(_xyz, columns), strict=True))
        | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(gamma)),
    )


def gray_profile(gamma: float) -> bytes:
    return _profile(b"GRAY", {b"kTRC": _curve(gamma)})


DISPLAY_P3 = (
    (0.51512, 0.24120, -0.00105),
    (0.29198, 0.69225, 0.04189),
    (0.15710, 0.06657, 0.78407),
)


def tiff(
    size: tuple[int, int],
    pieces: list[bytes],
    *,
    bits: int = 8,
    samples: int = 1,
    photometric: int = 1,
    planar: int = 1,
    sample_format: int = 1,
    order: str = "<",
    more: dict[int, int] | None = None,
) -> bytes:
    """An uncompressed TIFF of one page, its strips of equal height."""
    rows = -(-size[1] * (samples if planar == 2 else 1) // len(pieces))
    body = bytearray((b"II*\0" if order == "<" else b"MM\0*") + bytes(4))
    offsets = []
    for piece in pieces:
        offsets.append(len(body))
        body += piece
    tags: dict[int, list[int]] = {
        256: [size[0]], 257: [size[1]], 258: [bits] * samples, 259: [1], 262: [photometric],
        273: offsets, 277: [samples], 278: [rows], 279: [len(piece) for piece in pieces],
        284: [planar], 339: [sample_format] * samples,
    }  # fmt: skip
    tags |= {tag: [value] for tag, value in (more or {}).items()}
    entries = b""
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}L", *values)
        if len(values) > 1:
            body += packed
            packed = struct.pack(f"{order}L", len(body) - len(packed))
        entries += struct.pack(f"{order}HHL", tag, 4, len(values)) + packed
    struct.pack_into(f"{order}L", body, 4, len(body))
    return bytes(body + struct.pack(f"{order}H", len(tags)) + entries + bytes(4))


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"made\0" + b"\0" * 79,
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": _xyz((0.9642, 1, 0.8249)),
    } | tags
    offset, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    size = struct.pack(">I", 128 + len(table) + len(body))
    head = size + bytes(4) + b"\2\x40\0\0mntr" + space + b"XYZ " + bytes(12) + b"acsp" + bytes(28)
    head += b"".join(struct.pack(">i", round(v * 65536)) for v in (0.9642, 1, 0.8249))
    return head.ljust(128, b"\0") + table + body
