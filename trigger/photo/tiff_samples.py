"""Decode TIFFs of more than 8 bits per sample, signed or float samples, or separate planes.

Pillow misreads or refuses most of these. libtiff decompresses their bytes all the same: it is given
the strips or tiles as those of an 8-bit gray picture, one column per byte. Byte order, predictor
and planes are then dealt with here.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

from trigger.photo.rgb import BACKGROUND, float_white, in_bands, integer_white, scale_to_8_bits
from trigger.photo.upright import to_upright

WIDTH, LENGTH, ORIENTATION = 256, 257, 274
BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, STRIP_OFFSETS = 258, 259, 262, 266, 273
SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS, PLANAR, PREDICTOR = 277, 278, 279, 284, 317
TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_COUNTS = 322, 323, 324, 325
EXTRA_SAMPLES, SAMPLE_FORMAT, MAX_SAMPLE = 338, 339, 281
_KINDS = {1: "u", 2: "i", 3: "f", 4: "u"}
_LOSSLESS = frozenset({1, 5, 8, 32946, 32773, 34925, 50000})
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _SEPARATED = 0, 1, 2, 5
_COLORS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _SEPARATED: 4}
_ASSOCIATED_ALPHA, _ALPHA = 1, 2
_NO_PREDICTOR, _HORIZONTAL, _FLOATING_POINT = 1, 2, 3

Tags = Mapping[int, Any]
Samples = npt.NDArray[Any]


def is_for_pillow(tags: Tags) -> bool:
    """Whether Pillow decodes pictures of this kind rightly."""
    bits, samples = set(tags.get(BITS, (1,))), tags.get(SAMPLES, 1)
    formats = set(tags.get(SAMPLE_FORMAT, (1,)))
    if formats - {1, 4}:
        return False
    separate = tags.get(PLANAR, 1) == 2 and samples > 1
    if max(bits) <= 8:
        return not separate or samples != 2
    return max(bits) <= 16 and not separate and (samples != 2)


def decode_samples(data: bytes, image: TiffImagePlugin.TiffImageFile) -> Image.Image:
    """Decode a picture of 8, 16, 32 or 64 bits per sample to upright 8-bit RGB.

    Raises:
        OSError: damaged.
        ValueError: of a kind that is not supported.
    """
    tags = image.tag_v2
    size = tags[WIDTH], tags[LENGTH]  # Pillow turns the image upright when it loads it
    values = _read(data, tags, size)
    photometric = tags.get(PHOTOMETRIC, _BLACK_IS_ZERO)
    colors = _COLORS[photometric]
    shown = values[..., :colors]
    full = _full(values.dtype)
    if photometric == _WHITE_IS_ZERO:
        if values.dtype.kind != "u":
            raise ValueError("unsupported: white is 0 in signed or float samples")
        shown = full - shown
    white = (
        float_white(shown) if values.dtype.kind == "f" else integer_white(int(shown.max()), full)
    )
    stated = tags.get(MAX_SAMPLE, (0,))
    if values.dtype.kind != "f" and photometric != _WHITE_IS_ZERO and max(stated) >= shown.max():
        white = max(*stated, 1)
    extra = tags.get(EXTRA_SAMPLES, ())[:1]
    alpha = values[..., colors] if extra and extra[0] in (_ASSOCIATED_ALPHA, _ALPHA) else None

    def band_of(box: tuple[int, int, int, int]) -> Image.Image:
        rows = slice(box[1], box[3])
        band = scale_to_8_bits(shown[rows], white)
        if colors == 4:
            return Image.fromarray(band, "CMYK").convert("RGB")
        if alpha is not None:
            opaque = white if values.dtype.kind != "f" else 1.0
            share = np.clip(alpha[rows, :, np.newaxis].astype(np.float32) / opaque, 0, 1)
            part = band if extra[0] == _ASSOCIATED_ALPHA else band * share
            band = np.rint(np.minimum(part + BACKGROUND[0] * (1 - share), 255)).astype(np.uint8)
        return Image.fromarray(np.repeat(band, 3, axis=2) if colors == 1 else band)

    return to_upright(in_bands(size, band_of), tags.get(ORIENTATION, 1))


def memory_needed(tags: Tags, size: tuple[int, int]) -> int:
    """Bytes that ``decode_samples`` holds at a time, at most."""
    sample_bytes = -(-max(tags.get(BITS, (8,))) // 8)
    bytes_per_pixel: int = 3 * sample_bytes * tags.get(SAMPLES, 1) + 4
    return size[0] * size[1] * bytes_per_pixel


def _full(dtype: np.dtype[Any]) -> int:
    return 1 if dtype.kind == "f" else int(np.iinfo(dtype).max)


def _read(data: bytes, tags: Tags, size: tuple[int, int]) -> Samples:
    """Return the samples (H, W, S) as stored, predictor undone."""
    bits, count = set(tags.get(BITS, (1,))), tags.get(SAMPLES, 1)
    formats = set(tags.get(SAMPLE_FORMAT, (1,)))
    photometric = tags.get(PHOTOMETRIC, _BLACK_IS_ZERO)
    if (
        len(bits) != 1
        or len(formats) != 1
        or not bits <= {8, 16, 32, 64}
        or not formats <= set(_KINDS)
        or tags.get(COMPRESSION, 1) not in _LOSSLESS
        or tags.get(FILL_ORDER, 1) != 1
        or count < _COLORS.get(photometric, 99)
    ):
        raise ValueError(
            f"unsupported kind of TIFF: {sorted(bits)} bits, sample format {sorted(formats)}, "
            f"compression {tags.get(COMPRESSION, 1)}, photometric interpretation {photometric}"
        )
    order = "<" if data[:2] == b"II" else ">"
    kind = _KINDS[formats.pop()]
    dtype = np.dtype(f"{order}{kind}{bits.pop() // 8}")  # TypeError for 8-bit floats
    planes = count if tags.get(PLANAR, 1) == 2 else 1
    parts = [
        _read_plane(data, tags, size, plane, planes, count // planes, dtype)
        for plane in range(planes)
    ]
    return parts[0] if planes == 1 else np.concatenate(parts, axis=2)


def _read_plane(
    data: bytes,
    tags: Tags,
    size: tuple[int, int],
    plane: int,
    planes: int,
    samples: int,
    dtype: np.dtype[Any],
) -> Samples:
    tiled = TILE_OFFSETS in tags
    offsets = tags[TILE_OFFSETS if tiled else STRIP_OFFSETS]
    counts = tags[TILE_COUNTS if tiled else STRIP_COUNTS]
    each = len(offsets) // planes
    chosen = slice(plane * each, (plane + 1) * each)
    pieces = []
    for offset, length in zip(offsets[chosen], counts[chosen], strict=True):
        if offset + length > len(data):
            raise OSError("image file is truncated: a strip ends behind the end of the file")
        pieces.append(data[offset : offset + length])
    pixel_bytes = samples * dtype.itemsize
    layout = {WIDTH: size[0] * pixel_bytes, LENGTH: size[1], COMPRESSION: tags.get(COMPRESSION, 1)}
    if tiled:
        layout |= {TILE_WIDTH: tags[TILE_WIDTH] * pixel_bytes, TILE_LENGTH: tags[TILE_LENGTH]}
    else:
        layout[ROWS_PER_STRIP] = min(tags.get(ROWS_PER_STRIP, size[1]), size[1])
    with TiffImagePlugin.TiffImageFile(io.BytesIO(_gray_tiff(layout, pieces, tiled))) as image:
        raw = np.asarray(image)
    predictor = tags.get(PREDICTOR, _NO_PREDICTOR)
    across = tags[TILE_WIDTH] if tiled else size[0]
    columns = [
        _undo_predictor(
            raw[:, left * pixel_bytes : (left + across) * pixel_bytes], predictor, samples, dtype
        )
        for left in range(0, size[0], across)
    ]
    return np.concatenate(columns, axis=1)


def _undo_predictor(
    raw: npt.NDArray[np.uint8], predictor: int, samples: int, dtype: np.dtype[Any]
) -> Samples:
    """Turn rows of bytes into samples (H, W, S); differences start over in each row."""
    height = len(raw)
    if predictor == _FLOATING_POINT:
        # Rows hold the first bytes of all samples, then the second ones..., as differences.
        sums = np.cumsum(raw.reshape(height, -1, samples), axis=1, dtype=np.uint8)
        planes = sums.reshape(height, dtype.itemsize, -1).swapaxes(1, 2)
        values = np.ascontiguousarray(planes).view(dtype.newbyteorder(">"))
        return values.reshape(height, -1, samples).astype(dtype.newbyteorder("="))
    native = dtype.newbyteorder("=")
    values = np.ascontiguousarray(raw).view(dtype).astype(native).reshape(height, -1, samples)
    if predictor == _HORIZONTAL:
        whole = np.dtype(f"u{dtype.itemsize}")
        return np.cumsum(values.view(whole), axis=1, dtype=whole).view(native)
    return values


def _gray_tiff(layout: dict[int, int], pieces: list[bytes], tiled: bool) -> bytes:
    """Return a TIFF of 8-bit gray that holds these strips or tiles."""
    body = bytearray(b"II*\0\0\0\0\0")
    offsets = []
    for piece in pieces:
        offsets.append(len(body))
        body += piece
    lists = {
        TILE_OFFSETS if tiled else STRIP_OFFSETS: offsets,
        TILE_COUNTS if tiled else STRIP_COUNTS: [len(piece) for piece in pieces],
    }
    tags = {tag: [value] for tag, value in layout.items()} | lists
    tags |= {BITS: [8], PHOTOMETRIC: [_BLACK_IS_ZERO], SAMPLES: [1]}
    entries = []
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}L", *values)
        if len(values) > 1:
            position = len(body)
            body += packed
            packed = struct.pack("<L", position)
        entries.append(struct.pack("<HHL", tag, 4, len(values)) + packed)
    struct.pack_into("<L", body, 4, len(body))
    return bytes(body + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4))
