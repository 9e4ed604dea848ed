from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from trigger.photo import read_photo


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def png(values: np.ndarray, bits: int, transparent: tuple[int, ...] | None) -> bytes:
    """A PNG of gray (H, W) or RGB (H, W, 3) with a transparent color."""
    height, width = values.shape[:2]
    if bits >= 8:
        packed = values.astype(f">u{bits // 8}").reshape(height, -1).view(np.uint8)
    else:
        digits = np.unpackbits(values.astype(np.uint8)[..., np.newaxis], axis=-1)[..., 8 - bits :]
        packed = np.packbits(digits.reshape(height, -1), axis=1)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    kind = 0 if values.ndim == 2 else 2
    header = struct.pack(">LLBBBBB", width, height, bits, kind, 0, 0, 0)
    parts = [chunk(b"IHDR", header)]
    if transparent is not None:
        parts.append(chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [*parts, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_the_transparent_gray_lands_on_white_at_any_depth(bits: int) -> None:
    full = 2**bits - 1
    values = np.array([[0, full, full // 2, 0, full]])
    shades = np.rint(values[0] * 255 / full).astype(int)
    for transparent in {0, full // 2}:
        pixels = read_photo(png(values, bits, (transparent,))).pixels[0, :, 0]
        expected = np.where(values[0] == transparent, 255, shades)
        np.testing.assert_array_equal(pixels, expected)


def test_a_transparent_color_of_16_bits_is_compared_in_16_bits() -> None:
    values = np.array([[[4000, 30000, 65535], [4001, 30000, 65535], [4000, 30000, 65534]]])
    pixels = read_photo(png(values, 16, (4000, 30000, 65535))).pixels[0]
    assert pixels[0].tolist() == [255, 255, 255]
    assert np.abs(pixels[1:] - values[0, 1:] / 257).max() <= 1


@pytest.mark.parametrize("white", [255, 4095, 65535])
@pytest.mark.parametrize("channels", [1, 3])
def test_values_of_fewer_bits_in_16_are_not_nearly_black(white: int, channels: int) -> None:
    ramp = np.rint(np.linspace(0, white, 48)).reshape(4, 12, 1).repeat(channels, axis=2)
    values = ramp[..., 0] if channels == 1 else ramp
    pixels = read_photo(png(values, 16, None)).pixels
    assert np.abs(pixels - ramp / white * 255).max() <= 1
