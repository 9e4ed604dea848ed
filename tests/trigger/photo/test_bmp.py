from __future__ import annotations

import struct
import time

import numpy as np
import pytest

from trigger.errors import PhotoError
from trigger.photo import Limits, read_photo


def bmp(width: int, height: int, runs: bytes, bits: int = 8) -> bytes:
    """A run-length encoded BMP whose palette is a ramp of gray."""
    palette = b"".join(bytes([shade, shade, shade, 0]) for shade in range(256))[: 4 * 2**bits]
    start = 14 + 40 + len(palette)
    head = struct.pack("<IHHI", start + len(runs), 0, 0, start)
    compression = 1 if bits == 8 else 2
    info = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(runs), 0, 0, 2**bits, 0
    )
    return b"BM" + head + info + palette + runs


def test_runs_literals_jumps_and_ends_of_lines() -> None:
    runs = b"\2\7\0\3\1\2\3\0" + b"\0\0" + b"\0\2\1\0" + b"\3\x0b" + b"\0\0" + b"\0\1"
    pixels = read_photo(bmp(5, 2, runs)).pixels[..., 0]
    assert pixels.tolist() == [[0, 11, 11, 11, 0], [7, 7, 1, 2, 3]]  # the first row is the lowest


def test_runs_of_4_bits() -> None:
    runs = b"\3\x12" + b"\0\3\x34\x50" + b"\0\0\0\1"
    assert read_photo(bmp(6, 1, runs, bits=4)).pixels[0, :, 0].tolist() == [1, 2, 1, 3, 4, 5]


def test_a_small_file_of_many_pixels_takes_no_time() -> None:
    start = time.process_time()
    photo = read_photo(bmp(20_000, 400, b"\1\7\0\0" * 400 + b"\0\1"))
    assert time.process_time() - start < 2  # byte by byte it takes longer than that
    assert photo.pixels[:, :2, 0].tolist() == [[7, 0]] * 400


@pytest.mark.parametrize("runs", [b"\2\7", b"\2\7\0", b"\0\5\1", b"\0\2\1", b"\0\1", b""])
def test_runs_that_end_early_are_truncated(runs: bytes) -> None:
    with pytest.raises(PhotoError) as caught:
        read_photo(bmp(5, 3, runs))
    assert caught.value.reason == "truncated"


def test_many_runs_are_measured() -> None:
    data = bmp(100, 100, (b"\1\7" * 100 + b"\0\0") * 100)
    assert np.all(read_photo(data).pixels == 7)
    with pytest.raises(PhotoError) as caught:
        read_photo(data, limits=Limits(seconds=0.001))
    assert caught.value.reason == "too-slow"
