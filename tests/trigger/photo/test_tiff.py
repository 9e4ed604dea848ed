from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from photo_files import encode, tiff
from PIL import Image

from trigger.errors import PhotoError
from trigger.photo import Limits, read_photo

tifffile = pytest.importorskip("tifffile")
BASE = np.stack(
    [np.tile(np.linspace(0, 1, 80), (60, 1)), np.tile(np.linspace(0, 1, 60), (80, 1)).T], axis=-1
)
BASE = np.concatenate([BASE, 1 - BASE[..., :1]], axis=-1)
SHADES = np.rint(BASE * 255).astype(int)


def reason_of(data: bytes) -> str:
    with pytest.raises(PhotoError) as caught:
        read_photo(data)
    return caught.value.reason


@pytest.mark.parametrize("kind", ["u2", "u4", "i2", "f4", "u1", "i1"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_any_layout_gives_the_right_pixels_or_an_error(
    kind: str, planar: str, samples: int
) -> None:
    if samples == 1 and planar == "separate":
        return
    dtype = np.dtype(kind)
    full = 1.0 if dtype.kind == "f" else np.iinfo(dtype).max
    opaque = np.ones((60, 80, 1))
    picture = {
        1: BASE[..., :1],
        2: np.concatenate([BASE[..., :1], opaque], axis=-1),
        3: BASE,
        4: np.concatenate([BASE, opaque], axis=-1),
    }[samples]
    values = picture * full
    stored = (values if dtype.kind == "f" else np.rint(values)).astype(dtype)
    stored = stored[..., 0] if samples == 1 else stored
    if planar == "separate":
        stored = np.moveaxis(stored, -1, 0)
    expected = SHADES if samples > 2 else np.repeat(SHADES[..., :1], 3, axis=-1)
    for compression, order, tile in itertools.product((None, "deflate"), "<>", (None, (32, 32))):
        content = io.BytesIO()
        tifffile.imwrite(
            content,
            stored,
            photometric="rgb" if samples > 2 else "minisblack",
            planarconfig=planar if samples > 1 else None,
            compression=compression,
            predictor=True if compression and dtype.kind != "f" else None,
            byteorder=order,
            tile=tile,
            extrasamples=["unassalpha"] if samples in (2, 4) else None,
        )
        try:
            pixels = read_photo(content.getvalue()).pixels
        except PhotoError as error:
            assert error.reason == "unsupported-format"  # noqa: PT017, right pixels will do too
            assert (kind, samples) not in [("u2", 1), ("u2", 3), ("u2", 4), ("f4", 1), ("u1", 3)]
        else:
            assert np.abs(pixels - expected).max() <= 2


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("samples", [1, 3, 4])
def test_fewer_bits_in_16_are_not_nearly_black(bits: int, samples: int) -> None:
    alpha = np.ones((60, 80, 1))
    picture = np.concatenate([BASE, alpha], axis=-1)[..., :samples] * (2**bits - 1)
    values = np.rint(picture).astype("<u2")
    more = {338: 2} if samples == 4 else {}
    photometric = 1 if samples == 1 else 2
    data = tiff(
        (80, 60), [values.tobytes()], bits=16, samples=samples, photometric=photometric, more=more
    )
    expected = SHADES if samples > 1 else np.repeat(SHADES[..., :1], 3, axis=-1)
    assert np.abs(read_photo(data).pixels - expected).max() <= 2


def test_a_dark_photo_of_16_bits_stays_dark() -> None:
    values = np.rint(BASE * 30000).astype("<u2")
    data = tiff((80, 60), [values.tobytes()], bits=16, samples=3, photometric=2)
    assert np.abs(read_photo(data).pixels - BASE * 30000 / 257).max() <= 1


def test_planes_are_turned_upright() -> None:
    planes = [np.rint(BASE[..., plane] * 65535).astype("<u2").tobytes() for plane in range(3)]
    data = tiff((80, 60), planes, bits=16, samples=3, photometric=2, planar=2, more={274: 6})
    photo = read_photo(data)
    assert (photo.width, photo.height) == (60, 80)
    assert np.abs(photo.pixels - np.rot90(SHADES, -1)).max() <= 1


@pytest.mark.parametrize("highlights", [3.0, 40.0])
def test_highlights_of_floats_are_clipped(highlights: float) -> None:
    linear = BASE[..., 0] ** 2.2 * min(highlights, 3.0)
    linear[:3] = highlights
    linear[4, :10] = np.inf
    linear[5, :10] = np.nan
    data = tiff((80, 60), [linear.astype("<f4").tobytes()], bits=32, sample_format=3)
    pixels = read_photo(data).pixels[..., 0]
    rest = slice(6, None)
    assert np.abs(pixels[rest] - np.clip(linear[rest], 0, 1) * 255).max() <= 1
    assert (pixels[4, :10] == 255).all() or (pixels[4, :10] == 0).all()


def test_the_photo_may_follow_its_thumbnail(coffee: np.ndarray) -> None:
    content = io.BytesIO()
    with tifffile.TiffWriter(content) as file:
        file.write(coffee[::8, ::8], photometric="rgb", subfiletype=1)
        file.write(coffee, photometric="rgb", subfiletype=0)
    np.testing.assert_array_equal(read_photo(content.getvalue()).pixels, coffee)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg", "group4"])
def test_damage_is_an_error_and_nothing_is_printed(
    compression: str, coffee: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    image = Image.fromarray(coffee).convert("1" if compression == "group4" else "RGB")
    data = encode(image, "TIFF", compression=compression)
    read_photo(data)
    at = len(data) // 3
    noise = np.random.default_rng(1).integers(0, 256, 400, dtype=np.uint8).tobytes()
    assert reason_of(data[:at] + noise + data[at + 400 :]) in ("corrupt", "truncated")
    assert capfd.readouterr() == ("", "")


def test_short_strips_are_truncated() -> None:
    row = bytes(80 * 3)
    whole = tiff((80, 60), [row * 60], samples=3, photometric=2)
    short = tiff((80, 60), [row * 40], samples=3, photometric=2)
    assert read_photo(whole).width == 80
    assert reason_of(short + bytes(10_000)) == "truncated"


def test_large_tiffs_are_measured_by_our_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # Pillow's own would warn or refuse
    data = encode(Image.new("RGB", (100, 100)), "TIFF", compression="tiff_lzw")
    assert read_photo(data).width == 100
    with pytest.raises(PhotoError, match="memory"):
        read_photo(data, limits=Limits(memory_bytes=10_000))
