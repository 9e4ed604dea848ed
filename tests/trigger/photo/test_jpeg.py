from __future__ import annotations

import io

import numpy as np
import pytest
from photo_files import encode
from PIL import Image

from trigger.errors import PhotoError
from trigger.photo import Limits, read_photo

KINDS: dict[str, dict[str, object]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "4:4:4": {"subsampling": 0},
    "restarts": {"restart_marker_rows": 1},
    "gray": {},
    "cmyk": {},
}
MODES = {"gray": "L", "cmyk": "CMYK"}


def sample(kind: str, coffee: np.ndarray) -> bytes:
    image = Image.fromarray(coffee[:203, :301]).convert(MODES.get(kind, "RGB"))
    return encode(image, "JPEG", quality=90, **KINDS[kind])


def reason_of(data: bytes) -> str:
    with pytest.raises(PhotoError) as caught:
        read_photo(data)
    return caught.value.reason


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_pixels_are_pillows_bit_for_bit(kind: str, factor: int, coffee: np.ndarray) -> None:
    data = sample(kind, coffee)
    expected = Image.open(io.BytesIO(data))
    expected.draft(None, (301 // factor, 203 // factor))
    pixels = read_photo(data, at_least=203 // factor).pixels
    np.testing.assert_array_equal(pixels, np.asarray(expected.convert("RGB")))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_what_the_decoder_would_have_to_guess_is_an_error(
    kind: str, part: float, coffee: np.ndarray
) -> None:
    data = sample(kind, coffee)
    start = data.rindex(b"\xff\xda", 0, len(data) // 2) + 12
    at = start + int(part * (len(data) - start))
    assert reason_of(data[:at] + b"\xff\xd9") == "truncated"
    assert reason_of(data[:at] + bytes(len(data) - at)) in ("truncated", "corrupt")
    assert reason_of(data[:at] + bytes(len(data) - at - 2) + b"\xff\xd9") in (
        "truncated",
        "corrupt",
    )
    assert reason_of(data[:at] + b"\xff\x01\xff\x02" * 30 + data[at + 120 :]) in (
        "truncated",
        "corrupt",
    )


def test_missing_scans_are_noticed(coffee: np.ndarray) -> None:
    data = sample("progressive", coffee)
    for scan in range(1, data.count(b"\xff\xda")):
        at = -1
        for _ in range(scan + 1):
            at = data.index(b"\xff\xda", at + 1)
        assert reason_of(data[:at] + b"\xff\xd9") == "truncated"


@pytest.mark.parametrize("kind", ["baseline", "progressive", "gray", "cmyk"])
def test_what_loses_no_pixel_is_no_damage(kind: str, coffee: np.ndarray) -> None:
    data = sample(kind, coffee)
    expected = read_photo(data).pixels
    for whole in (
        data[:-2],  # only the end marker is missing
        data + b"the clip of a motion photo" * 100,
        data[:-2] + bytes(300) + data[-2:],  # padded
        data.replace(b"\xff\xdb", b"\xff\xff\xff\xdb", 1),  # fill bytes
        data.replace(b"\xff\xdb", b"\1\2\3\xff\xdb", 1),  # stray bytes between segments
    ):
        np.testing.assert_array_equal(read_photo(whole).pixels, expected)


def test_the_height_may_follow_the_first_scan(coffee: np.ndarray) -> None:
    data = sample("baseline", coffee)
    at = data.index(b"\xff\xc0") + 5
    late = data[:at] + b"\0\0" + data[at + 2 : -2] + b"\xff\xdc\0\4" + data[at : at + 2] + data[-2:]
    np.testing.assert_array_equal(read_photo(late).pixels, read_photo(data).pixels)


def test_thousands_of_scans_are_refused_before_decoding() -> None:
    data = encode(Image.new("L", (64, 64)), "JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    many = data[:at] + data[at:-2] * 5000 + data[-2:]
    assert reason_of(many) == "too-slow"
    with pytest.raises(PhotoError, match="more than 5 passes"):
        read_photo(data, limits=Limits(scans=5))


def test_an_unknown_number_of_components_is_an_error(coffee: np.ndarray) -> None:
    data = bytearray(sample("baseline", coffee))
    at = data.index(b"\xff\xc0")
    data[at + 9] = 0
    assert reason_of(bytes(data)) in ("truncated", "corrupt", "unsupported-format")


@pytest.mark.parametrize("kind", ["baseline", "4:4:4", "restarts", "gray", "cmyk"])
@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_zeros_written_over_the_picture_are_noticed(
    kind: str, part: float, coffee: np.ndarray
) -> None:
    data = sample(kind, coffee)
    start = data.rindex(b"\xff\xda") + 14
    at = start + int(part * (len(data) - start))
    assert reason_of(data[:at] + bytes(32) + data[at + 32 :]) in ("truncated", "corrupt")


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}])
def test_zeros_that_encode_flat_areas_are_no_damage(
    level: int, mode: str, options: dict[str, object]
) -> None:
    flat = Image.new("L", (640, 480), level).convert(mode)
    data = encode(flat, "JPEG", quality=50, **options)
    assert np.ptp(read_photo(data).pixels) == 0
    assert bytes(24) in data or not options
