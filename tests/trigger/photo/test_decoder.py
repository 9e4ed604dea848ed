from __future__ import annotations

import contextlib
import gzip
import io
import os
import socket
import struct
import sys
import tempfile
import threading
import types
import warnings
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

import trigger.photo.content
import trigger.photo.decoder
from trigger.errors import OptionError, PhotoError
from trigger.photo import find_photos, photo_hash, read_photo, read_photo_bytes
from trigger.photo.limits import DEFAULT_LIMITS, Limits

LOSSLESS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "BMP": {},
    "TIFF": {},
    "TIFF-lzw": {"compression": "tiff_lzw"},
    "WebP": {"lossless": True},
}
LOSSY: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95}, "AVIF": {"quality": 95}, "GIF": {}}
FORMATS = LOSSLESS | LOSSY


def encode(image: Image.Image | np.ndarray, fmt: str, **options: Any) -> bytes:
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    content = io.BytesIO()
    image.save(content, fmt.split("-")[0], **(FORMATS.get(fmt, {}) | options))
    return content.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes = b"", *, bits: int = 8, color: int = 2) -> bytes:
    """A PNG made by hand, for what no encoder would write."""
    header = struct.pack(">LLBBBBB", width, height, bits, color, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


_TOO_MUCH_TEXT = png(5, 5)[:33] + chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(2**21)))


def tiff(grey: np.ndarray, photometric: int) -> bytes:
    """A grey TIFF of whole numbers (H, W) made by hand, for what Pillow does not write."""
    height, width = grey.shape
    longs = {256: width, 257: height, 273: 8, 278: height, 279: grey.nbytes}
    shorts = {258: 8 * grey.itemsize, 259: 1, 262: photometric, 277: 1}
    shorts[339] = 1 if grey.dtype.kind == "u" else 2
    entries = [struct.pack("<HHLL", tag, 4, 1, value) for tag, value in longs.items()]
    entries += [struct.pack("<HHLHxx", tag, 3, 1, value) for tag, value in shorts.items()]
    in_order = [entry for _, entry in sorted((entry[1::-1], entry) for entry in entries)]
    directory = struct.pack("<H", len(entries)) + b"".join(in_order) + bytes(4)
    return b"II*\0" + struct.pack("<L", 8 + grey.nbytes) + grey.tobytes() + directory


def reason_of(source: object, limits: Limits = DEFAULT_LIMITS) -> str:
    with pytest.raises(PhotoError) as caught:
        read_photo(source, limits=limits)  # type: ignore[arg-type]
    assert str(caught.value).strip()
    return caught.value.reason


@pytest.fixture(scope="module")
def small() -> np.ndarray:
    """A photograph-like picture, 40 high and 56 wide."""
    y, x = np.mgrid[0:40, 0:56].astype(float)
    waves = [np.sin(x / a + y / b) for a, b in ((5, 9), (11, 4), (7, 23))]
    return (127 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)


# --- formats and color -------------------------------------------------------------------


@pytest.mark.parametrize("fmt", LOSSLESS)
def test_lossless_formats_keep_every_pixel(fmt: str, small: np.ndarray) -> None:
    photo = read_photo(encode(small, fmt))
    np.testing.assert_array_equal(photo.pixels, small)
    assert (photo.format, photo.width, photo.height) == (fmt.split("-")[0], 56, 40)


@pytest.mark.parametrize("fmt", LOSSY)
def test_lossy_formats_stay_close(fmt: str, coffee: np.ndarray) -> None:
    photo = read_photo(encode(coffee, fmt))
    assert photo.format == fmt
    assert np.abs(photo.pixels.astype(int) - coffee).mean() < 6


def test_content_decides_and_not_the_extension(tmp_path: Path, small: np.ndarray) -> None:
    path = tmp_path / "holiday.jpg"
    path.write_bytes(encode(small, "PNG"))
    assert read_photo(path).format == "PNG"


def test_an_avif_file_may_name_its_kind_last(small: np.ndarray) -> None:
    content = encode(small, "AVIF")
    size = int.from_bytes(content[:4], "big")
    brands = b"mif1" * ((size - 16) // 4 - 1) + b"avif"
    general = content[:8] + b"mif1" + content[12:16] + brands + content[size:]
    assert read_photo(general).format == "AVIF"


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "HSV", "LAB", "RGBX", "I", "F"])
def test_every_mode_becomes_rgb(mode: str, coffee: np.ndarray) -> None:
    image = Image.fromarray(coffee)
    grey = mode in {"L", "1", "I", "F"}
    expected = np.asarray((image.convert("L") if grey else image).convert("RGB")).astype(int)
    pixels = read_photo(image.convert(mode)).pixels
    assert pixels.dtype == np.uint8
    assert pixels.shape == coffee.shape
    assert abs(pixels.astype(int).mean() - expected.mean()) < 2  # dithered modes differ per pixel
    if mode not in {"1", "P"}:
        assert np.abs(pixels - expected).mean() < 3


def test_cmyk_jpeg_is_not_inverted(coffee: np.ndarray) -> None:
    pixels = read_photo(encode(Image.fromarray(coffee).convert("CMYK"), "JPEG")).pixels
    assert np.abs(pixels.astype(int) - coffee).mean() < 4


@pytest.mark.parametrize("fmt", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(fmt: str) -> None:
    ramp = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    pixels = read_photo(encode(ramp, fmt)).pixels
    np.testing.assert_array_equal(pixels[..., 0], np.rint(ramp / 257).astype(np.uint8))
    assert (pixels == pixels[..., :1]).all()


@pytest.mark.parametrize(
    ("bits", "photometric"), [(8, 0), (16, 0), (32, 1)], ids=["8 inverted", "16 inverted", "32"]
)
def test_grey_tiffs_of_any_kind_are_of_the_same_grey(bits: int, photometric: int) -> None:
    ramp = np.arange(4096, dtype=np.uint64).reshape(64, 64) // 16
    values = ramp * ((2**bits - 1) // 255)
    if photometric == 0:  # white is zero
        values = 2**bits - 1 - values
    content = tiff(values.astype(f"<u{bits // 8}"), photometric)
    np.testing.assert_array_equal(read_photo(content).pixels[..., 0], ramp)


def test_signed_grey_is_white_at_its_largest_number() -> None:
    values = np.array([[-300, 0, 129 * 100, 2**15 - 1]])
    pixels = read_photo(tiff(values.astype("<i2"), 1)).pixels
    assert pixels[0, :, 0].tolist() == [0, 0, 100, 255]


def test_heif_is_read_upright_or_not_at_all() -> None:
    content = (Path(__file__).parent / "quadrants.heic").read_bytes()  # orientation 6
    photo = read_photo(content)
    assert (photo.format, photo.width, photo.height) == ("HEIF", 48, 64)
    brightest = photo.pixels[[8, 8, 56, 56], [8, 40, 8, 40]].argmax(axis=1)
    assert brightest.tolist() == [2, 0, 0, 1]  # blue, red, white, green
    for size in (len(content) // 2, len(content) - 1):
        assert reason_of(content[:size]) == "truncated"


def test_16_bit_color_is_scaled_not_clipped() -> None:
    values = np.array([[0, 257 * 100, 65535], [300, 40000, 60000]], dtype=">u2")
    rows = b"\0" + values.tobytes()
    pixels = read_photo(png(2, 1, rows, bits=16)).pixels
    assert np.abs(pixels[0] - values / 257.0).max() <= 1


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_float_grey_finds_its_white(white: float) -> None:
    ramp = np.linspace(0, white, 4096, dtype=np.float32).reshape(64, 64)
    ramp[0, 0] = np.nan
    pixels = read_photo(encode(ramp, "TIFF")).pixels
    np.testing.assert_allclose(pixels[1:, :, 0], ramp[1:] / white * 255, atol=0.51)
    mostly_dark = np.where(ramp > 0.9 * white, ramp, 0)
    pixels = read_photo(encode(mostly_dark, "TIFF")).pixels
    np.testing.assert_allclose(pixels[..., 0], mostly_dark / white * 255, atol=0.51)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P", "RGBa", "La"])
def test_transparency_is_flattened_on_white(mode: str, small: np.ndarray) -> None:
    image = Image.fromarray(small).convert("RGBA")
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (0, 0, 28, 40))
    image.putalpha(alpha)
    if mode == "P":
        image = image.quantize(64)
    elif mode == "PA":
        flat = Image.fromarray(small).convert("P").convert("PA")
        flat.putalpha(alpha)
        image = flat
    elif mode in {"LA", "La"}:
        image = image.convert("LA").convert(mode)
    else:
        image = image.convert(mode)
    pixels = read_photo(image).pixels
    assert (pixels[:, :28] == 255).all()
    assert np.abs(pixels[:, 28:].astype(int).mean() - small[:, 28:].mean()) < 8


def test_a_transparent_color_counts_as_transparent() -> None:
    image = Image.new("RGB", (4, 4), (10, 20, 30))
    assert (read_photo(encode(image, "PNG", transparency=(10, 20, 30))).pixels == 255).all()


@pytest.mark.parametrize("fmt", ["GIF", "WebP", "PNG", "TIFF"])
def test_first_frame_of_animations(fmt: str) -> None:
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue", "lime")]
    content = encode(frames[0], fmt, save_all=True, append_images=frames[1:])
    assert read_photo(content).pixels[8, 8].tolist() == [255, 0, 0]


# --- upright ------------------------------------------------------------------------------


@given(
    orientation=st.integers(0, 9),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    fmt=st.sampled_from(["PNG", "WebP", "TIFF"]),
    big_endian=st.booleans(),
)
def test_exif_orientation_equals_a_manual_transpose(
    orientation: int, size: tuple[int, int], fmt: str, big_endian: bool
) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif.endian = ">" if big_endian else "<"
    exif[0x0112] = orientation
    turned = {
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.swapaxes(0, 1),
        6: np.rot90(stored, -1),
        7: stored[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(stored),
    }.get(orientation, stored)
    photo = read_photo(encode(stored, fmt, exif=exif))
    np.testing.assert_array_equal(photo.pixels, turned)
    assert (photo.height, photo.width) == turned.shape[:2]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_reduced_jpegs_are_upright_too(orientation: int, coffee: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encode(coffee, "JPEG", exif=exif)
    whole, reduced = read_photo(content), read_photo(content, at_least=100)
    assert (whole.width, whole.height) == (reduced.width, reduced.height)
    assert whole.pixels.shape == (whole.height, whole.width, 3)
    assert reduced.pixels.shape == (whole.height // 4, whole.width // 4, 3)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    np.testing.assert_array_equal(whole.pixels, np.asarray(expected))
    shrunk = np.asarray(expected.reduce(4)).astype(int)
    assert np.abs(reduced.pixels - shrunk).mean() < 2


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"garbage",
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff",
    ],
)
@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WebP"])
def test_broken_exif_is_ignored(exif: bytes, fmt: str, small: np.ndarray) -> None:
    content = encode(small, fmt, exif=exif)
    assert read_photo(content).pixels.shape == small.shape


@given(exif=st.binary(max_size=80))
def test_any_exif_bytes_are_survived(exif: bytes) -> None:
    content = encode(Image.new("RGB", (3, 2)), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0" + exif)
    assert sorted(read_photo(content).pixels.shape) == [2, 3, 3]


# --- sources ------------------------------------------------------------------------------


def test_all_kinds_of_sources_give_the_same_pixels(tmp_path: Path, small: np.ndarray) -> None:
    path = tmp_path / "photo.png"
    content = encode(small, "PNG")
    path.write_bytes(content)
    with path.open("rb") as file, Image.open(path) as image:
        for source in (path, str(path), content, file, io.BytesIO(content), image, small):
            photo = read_photo(source)
            np.testing.assert_array_equal(photo.pixels, small)
            assert not photo.pixels.flags.writeable
    assert small.flags.writeable
    assert read_photo(path).name == str(path)
    entry = next(e for e in list(os.scandir(os.fsencode(tmp_path))) if e.is_file())
    assert read_photo(entry).name == str(path)  # type: ignore[arg-type]
    with Image.open(os.fsencode(path)) as image:
        assert read_photo(image).name == str(path)
    assert read_photo(content, name="front door").name == "front door"
    with tempfile.SpooledTemporaryFile() as upload:  # what web frameworks hand on
        upload.write(content)
        upload.seek(0)
        assert read_photo(upload).name == "file object"  # type: ignore[arg-type]


def test_a_pillow_image_is_turned_upright_and_left_as_it_was(small: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(io.BytesIO(encode(small, "JPEG", exif=exif))) as image:
        image.load()
        before = (image.mode, image.size, image.tobytes(), dict(image.info))
        photo = read_photo(image)
        assert photo.pixels.shape == (56, 40, 3)
        assert (image.mode, image.size, image.tobytes(), dict(image.info)) == before
    again = read_photo(photo.image)
    np.testing.assert_array_equal(again.pixels, photo.pixels)  # it is not turned twice


@pytest.mark.parametrize("at_least", [1, 50, 100, 199, 200, 400, 10_000])
def test_the_shorter_side_keeps_at_least_what_was_asked(at_least: int, coffee: np.ndarray) -> None:
    content = encode(coffee, "JPEG")
    photo = read_photo(content, at_least=at_least)
    assert min(photo.pixels.shape[:2]) >= min(at_least, 400)
    assert (photo.width, photo.height) == (600, 400)


def test_at_least_must_be_positive(small: np.ndarray) -> None:
    with pytest.raises(OptionError, match="at_least is 0"):
        read_photo(small, at_least=0)


# --- refusals -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"Dear diary, this is not a photo.", "not-a-photo"),
        (b"BMW is a maker of cars, and this is text", "not-a-photo"),
        (b"%PDF-1.7", "unsupported-format"),
        (b"\0\0\0\x18ftypisom\0\0\0\0mp42", "unsupported-format"),
        (b"8BPS\0\x01", "unsupported-format"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "unsupported-format"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "unsupported-format"),
        (b"FUJIFILMCCD-RAW 0201", "unsupported-format"),
        (png(0, 0), "too-small"),
        (png(5, 0), "too-small"),
        (png(60_000, 60_000), "too-many-pixels"),
        (png(100_000, 1), "too-many-pixels"),
        (b"\xff\xd8\xff", "corrupt"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "corrupt"),
        (_TOO_MUCH_TEXT, "unsupported-format"),
    ],
)
def test_bad_content_has_a_reason(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    assert reason_of(path) == reason
    assert reason_of(content) == reason
    assert reason_of(io.BytesIO(content)) == reason


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("part", [0.4, 0.7, 0.95])
def test_cut_off_photos_are_truncated_never_half_grey(
    fmt: str, part: float, small: np.ndarray
) -> None:
    content = encode(small, fmt)
    assert reason_of(content[: int(len(content) * part)]) == "truncated"


def test_paths_that_are_no_photo_files(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe.jpg"
    os.mkfifo(fifo)
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.jpg"))
        assert reason_of(tmp_path / "socket.jpg") == "unreadable"
    assert reason_of(tmp_path) == "directory"
    assert reason_of(tmp_path / "no.jpg") == "missing"
    assert reason_of("") == "missing"
    assert reason_of(fifo / "no.jpg") == "missing"
    assert reason_of(fifo) == "unreadable"
    assert reason_of("/dev/zero") == "unreadable"
    assert reason_of(loop) == "unreadable"
    assert reason_of("a\0b.jpg") == "unreadable"
    assert reason_of("x" * 5000) == "unreadable"
    with pytest.raises(PhotoError) as caught:
        read_photo(tmp_path / "no.jpg", name="front door")
    assert caught.value.photo == "front door"


@pytest.fixture
def without_privileges() -> Iterator[None]:
    """Run as an ordinary user, also where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_unreadable_permissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    Path(tmp_path, "closed.jpg").write_bytes(b"\xff\xd8\xff")
    Path(tmp_path, "closed.jpg").chmod(0)
    Path(tmp_path, "folder").mkdir(mode=0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # the folders above stay closed to other users
    request.getfixturevalue("without_privileges")
    assert reason_of("closed.jpg") == "permission"
    assert reason_of("folder") == "permission"
    assert list(find_photos(["."])) == [Path("closed.jpg"), Path("folder")]


def test_too_large_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(file_bytes=100)
    monkeypatch.setattr(trigger.photo.content, "_CHUNK_BYTES", 50)
    path = tmp_path / "large.jpg"
    for size, reason in ((101, "too-large"), (100, "not-a-photo")):
        path.write_bytes(b"\xff" * size)
        assert reason_of(path, limits) == reason_of(path.read_bytes(), limits) == reason


def test_a_photo_that_fits_into_no_memory_is_not_called_damaged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(trigger.photo.decoder, "load_jpeg", load)
    jpeg = next(sample for sample in SAMPLES if sample[:2] == b"\xff\xd8")
    assert reason_of(jpeg) == "too-many-pixels"


def test_things_that_are_no_source(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    for content in (b"text", b"\xff\xd8\xff\xe0"):
        path.write_bytes(content)
        with path.open() as text, pytest.raises(PhotoError, match="opened as text"):
            read_photo(text)  # type: ignore[arg-type]
    with path.open("rb") as closed:
        pass
    assert reason_of(closed) == "unreadable"
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(SAMPLES[0])
    with Image.open(photo) as image:
        pass
    assert reason_of(image) == "unreadable"
    with gzip.open(io.BytesIO(gzip.compress(SAMPLES[0])[:-9])) as cut:
        assert reason_of(cut) == "unreadable"
    assert reason_of(3) == reason_of(None) == "not-a-photo"
    assert reason_of(Image.new("RGB", (0, 5))) == "too-small"


@pytest.mark.parametrize(
    ("array", "mend"),
    [
        (np.zeros((4, 5, 3)), "255"),
        (np.zeros((4, 5, 3), np.int64), "uint8"),
        (np.zeros((4, 5), np.uint8), "stack"),
        (np.zeros((4, 5, 4), np.uint8), r"\[\.\.\., :3\]"),
        (np.zeros((3, 40, 50), np.uint8), "transpose"),
        (np.zeros((2, 4, 5, 3), np.uint8), "one at a time"),
        (np.zeros((0, 5, 3), np.uint8), "shape"),
        (np.zeros(7, np.uint8), "shape"),
    ],
)
def test_bad_arrays_are_told_how_to_mend_them(array: np.ndarray, mend: str) -> None:
    assert reason_of(array) == "bad-array"
    with pytest.raises(PhotoError, match=mend):
        read_photo(array)


def test_heif_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(PhotoError, match=r"pip install '\.\[heif\]'") as caught:
        read_photo(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 40)
    assert caught.value.reason == "unsupported-format"


def test_heif_items_that_crash_the_decoder_never_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    heif = types.SimpleNamespace(HeifImageFile=lambda _: pytest.fail("the decoder was called"))
    monkeypatch.setitem(sys.modules, "pi_heif", heif)
    item = b"infe\2\0\0\0" + b"\0\2\0\0" + b"E\xff\xff\xff\0"
    box = struct.pack(">L", len(item) + 4) + item
    assert reason_of(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + box) == "corrupt"


@pytest.mark.parametrize("tag", [0x8769, 0x8825])
def test_tiffs_whose_exif_lies_nowhere_are_read_without_a_word(tag: int, small: np.ndarray) -> None:
    content = encode(small, "TIFF", tiffinfo={tag: 10**6})  # warnings are errors here
    np.testing.assert_array_equal(read_photo(content).pixels, small)


@pytest.mark.parametrize("tag", [50706, 254])
def test_raw_files_are_not_judged_by_their_preview(tag: int, small: np.ndarray) -> None:
    value = b"\x01\x04\0\0" if tag == 50706 else 1
    assert reason_of(encode(small, "TIFF", tiffinfo={tag: value})) == "unsupported-format"
    assert reason_of(b"II*\0\x10\0\0\0CR\2\0" + bytes(100)) == "unsupported-format"


SAMPLES = [
    encode(np.random.default_rng(7).integers(0, 256, (9, 11, 3), dtype=np.uint8), fmt)
    for fmt in FORMATS
]


@settings(max_examples=400)
@given(
    content=st.sampled_from(SAMPLES),
    edits=st.lists(st.tuples(st.floats(0, 0.999), st.binary(min_size=1, max_size=4)), max_size=4),
    keep=st.floats(0, 1),
    tail=st.binary(max_size=8),
)
def test_damaged_files_raise_photo_errors_only(
    content: bytes, edits: list[tuple[float, bytes]], keep: float, tail: bytes
) -> None:
    damaged = bytearray(content)
    for where, new in edits:
        position = int(where * len(damaged))
        damaged[position : position + len(new)] = new
    with contextlib.suppress(PhotoError):
        photo = read_photo(bytes(damaged[: max(1, int(keep * len(damaged)))]) + tail)
        assert photo.pixels.shape == (photo.height, photo.width, 3)


@given(start=st.sampled_from([content[:24] for content in SAMPLES]), rest=st.binary(max_size=200))
def test_arbitrary_bytes_raise_photo_errors_only(start: bytes, rest: bytes) -> None:
    for content in (start + rest, rest or b"\0"):
        with contextlib.suppress(PhotoError):
            read_photo(content)


def test_many_threads_agree_and_nothing_global_changes(small: np.ndarray) -> None:
    broken_exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12\0\x03\0\0\0"
    contents = [encode(small, fmt) for fmt in FORMATS] * 6
    contents += [encode(small, "JPEG", exif=broken_exif)] * 6
    expected = [read_photo(content).pixels for content in contents]
    filters = list(warnings.filters)
    start = threading.Barrier(8)

    def work(shift: int) -> None:
        start.wait()
        for index in np.roll(np.arange(len(contents)), shift):
            np.testing.assert_array_equal(read_photo(contents[index]).pixels, expected[index])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert list(warnings.filters) == filters


# --- files and folders --------------------------------------------------------------------


def test_photos_are_identified_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"abc")
    assert read_photo_bytes(tmp_path / "a.jpg") == b"abc"
    assert photo_hash(b"abc").startswith("ba7816bf8f01cfea414140de5dae2223")
