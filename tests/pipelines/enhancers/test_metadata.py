"""The metadata of a photo is in the enhanced file too, or the photo is refused."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from pipelines.enhancers.metadata import exif, jpeg, png, webp
from trigger.cli.app import main
from trigger.photo import read_photo

Pixels = npt.NDArray[np.uint8]
Photo = npt.NDArray[np.float32]
Captured = pytest.CaptureFixture[str]
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP, MORE = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
CLIP = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(range(256)) * 4


class Darker:
    name, version, tile_multiple = "darker", "1", 1

    def enhance(self, photo: Photo) -> Photo:
        return photo * np.float32(0.5)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scorer that costs nothing."""
    monkeypatch.setattr(
        "pipelines.enhancers.photo.checked_opinions", lambda *_: np.full((1, 1), 5, np.float32)
    )


def enhance(path: Path, *options: str, code: int = 0) -> Path:
    arguments = ["enhance", str(path), "--enhancer", f"{__name__}:Darker", *options]
    assert main(arguments) == code
    return path.with_name(f"{path.stem}-darker{path.suffix}")


def encoded(pixels: Pixels, fmt: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, fmt, **options)
    return buffer.getvalue()


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def with_segments(data: bytes, *segments: bytes) -> bytes:
    place = data.index(b"\xff\xdb")
    return data[:place] + b"".join(segments) + data[place:]


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">L", len(content))
        + kind
        + content
        + struct.pack(">L", zlib.crc32(kind + content))
    )


def with_chunks(data: bytes, *chunks: bytes) -> bytes:
    return data[:33] + b"".join(chunks) + data[33:]


def packet(words: str, inner: str = "") -> bytes:
    spaces = {
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "dc": "http://purl.org/dc/elements/1.1/",
        "GCamera": "http://ns.google.com/photos/1.0/camera/",
        "Container": "http://ns.google.com/photos/1.0/container/",
        "Item": "http://ns.google.com/photos/1.0/container/item/",
        "GImage": "http://ns.google.com/photos/1.0/image/",
        "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    }
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in spaces.items())
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {declared}><rdf:Description {words}>'
        f"<dc:subject><rdf:Bag><rdf:li>holiday</rdf:li></rdf:Bag></dc:subject>{inner}"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def test_every_segment_of_a_jpeg_is_kept_byte_for_byte(coffee: Pixels, tmp_path: Path) -> None:
    segments = [
        segment(0xE1, XMP + packet('xmp:Rating="5"')),
        segment(0xE1, MORE + b"0" * 40 + b"first half"),
        segment(0xE1, MORE + b"0" * 40 + b"second half"),
        segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x05\x1c\x02\x78\0\0"),
        segment(0xED, b"Photoshop 3.0\x008BIM more of it"),
        segment(0xE3, b"_JPSJPS_ whatever"),
        segment(0xFE, b"a comment"),
        segment(0xFE, b"\xff\xd9 another"),
        segment(0xE2, b"FPXR\0 of a maker"),
    ]
    data = encoded(coffee[:64, :96], "JPEG", icc_profile=PROFILE, dpi=(300, 300))
    path = tmp_path / "photo.jpg"
    path.write_bytes(with_segments(data, *segments) + b"\0" * 9)
    new = enhance(path).read_bytes()
    assert jpeg.split(new)[0] == jpeg.split(path.read_bytes())[0]
    assert b"".join(segments) in new
    assert read_photo(new).pixels.mean() < read_photo(path).pixels.mean() * 0.6


def test_notes_of_a_samsung_phone_stay_behind_the_picture(coffee: Pixels, tmp_path: Path) -> None:
    notes = b"\0\0\1\x0a\x0e\0\0\0Image_UTC_Data1700000000SEFH\x6b\0\0\0\1\0\0\0SEFT"
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(coffee[:64, :96], "JPEG") + notes)
    assert enhance(path).read_bytes().endswith(b"\xff\xd9" + notes)


MPF = segment(0xE2, b"MPF\0II*\0\x08\0\0\0")
MOTION = packet('xmp:Rating="5" GCamera:MotionPhoto="1" GCamera:MicroVideoOffset="9"')
ITEMS = (
    '<Container:Directory><rdf:Seq><rdf:li><Container:Item Item:Semantic="{}"/></rdf:li></rdf:Seq>'
    "</Container:Directory>"
)
HDR = packet('hdrgm:Version="1.0" xmp:Rating="5"', ITEMS.format("GainMap"))
EYE = packet('GImage:Mime="image/jpeg" xmp:Rating="5"')
Make = Callable[[bytes], bytes]
EXTRAS: dict[str, tuple[str, Make]] = {
    "motion.jpg": ("clip of a motion photo", lambda d: with_segments(d, _xmp(MOTION)) + CLIP),
    "samsung.jpg": ("clip of a motion photo", lambda d: d + b"MotionPhoto_Data" + CLIP + b"SEFT"),
    "stereo.jpg": ("further pictures (MPF)", lambda d: with_segments(d, MPF) + d),
    "hdr.jpg": ("gain map of an HDR photo", lambda d: with_segments(d, _xmp(HDR), MPF) + d),
    "iso-hdr.jpg": (
        "gain map of an HDR photo",
        lambda d: with_segments(d, segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0")) + d,
    ),
    "eye.jpg": ("the other eye", lambda d: with_segments(d, _xmp(EYE), segment(0xE1, MORE))),
    "credentials.jpg": ("C2PA", lambda d: with_segments(d, segment(0xEB, b"JP\0\1 jumb c2pa"))),
    "tail.jpg": ("500 bytes of unknown purpose", lambda d: d + b"x" * 500),
    "credentials.png": ("C2PA", lambda d: with_chunks(d, chunk(b"caBX", b"jumb"))),
    "layers.png": ("a chunk mkBT", lambda d: with_chunks(d, chunk(b"mkBT", b"layers"))),
    "tail.png": ("data behind the picture (500", lambda d: d + b"x" * 500),
    "tail.webp": ("clip of a motion photo", lambda d: d + CLIP),
}


def _xmp(content: bytes) -> bytes:
    return segment(0xE1, XMP + content)


@pytest.mark.parametrize("name", EXTRAS)
def test_what_would_be_broken_is_refused_or_dropped_with_a_word(
    coffee: Pixels, tmp_path: Path, capsys: Captured, name: str
) -> None:
    words, make = EXTRAS[name]
    path = tmp_path / name
    fmt = {".jpg": "JPEG", ".png": "PNG", ".webp": "WebP"}[path.suffix]
    plain = encoded(coffee[:64, :96], fmt)
    path.write_bytes(make(plain))
    before = path.read_bytes()
    new = enhance(path, "--json", code=1)
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["reason"] == "unsupported-format"
    assert words in error["message"]
    assert "--drop-extras" in error["message"]
    assert not new.exists()
    enhance(path, "--drop-extras")
    assert f"{path}: dropped" in (said := capsys.readouterr().err)
    assert words in said
    left = new.read_bytes()
    for word in (b"ftyp", b"MPF", b"MotionPhoto", b"hdrgm:", b"GainMap", b"GImage", b"c2pa"):
        assert word not in left
    assert read_photo(new).width == 96
    enhance(new.rename(tmp_path / f"again{path.suffix}"))  # nothing else to refuse
    if b"Rating" in before:
        assert b'Rating="5"' in left
        assert b"holiday" in left
    assert path.read_bytes() == before


def test_every_chunk_of_a_png_is_kept_byte_for_byte(coffee: Pixels, tmp_path: Path) -> None:
    chunks = [
        chunk(b"gAMA", struct.pack(">L", 100_000)),
        chunk(
            b"cHRM", struct.pack(">8L", *[31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000])
        ),
        chunk(b"sRGB", b"\0"),
        chunk(b"cICP", bytes([1, 13, 0, 1])),
        chunk(b"sBIT", bytes([5, 6, 5])),
        chunk(b"pHYs", struct.pack(">LLB", 3000, 3000, 1)),
        chunk(b"tEXt", b"Title\0a title"),
        chunk(b"zTXt", b"Author\0\0" + zlib.compress(b"nobody")),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet('xmp:Rating="5"')),
        chunk(b"tIME", struct.pack(">HBBBBB", 2020, 1, 2, 3, 4, 5)),
        chunk(b"viSt", b"private, safe to copy"),
    ]
    late = chunk(b"tEXt", b"Comment\0after the pixels")
    data = with_chunks(encoded(coffee[:64, :96], "PNG"), *chunks)
    path = tmp_path / "photo.png"
    path.write_bytes(data[:-12] + late + data[-12:])
    new = enhance(path).read_bytes()
    assert b"".join(chunks) in new
    assert new.endswith(late + data[-12:])
    kinds = [part.kind for part in png.split(new)[0]]
    assert kinds.index(b"viSt") < kinds.index(b"IDAT")


@pytest.mark.parametrize("lossless", [True, False])
def test_chunks_of_a_webp_are_kept_byte_for_byte(
    coffee: Pixels, tmp_path: Path, lossless: bool
) -> None:
    settings = {"xmp": packet('xmp:Rating="5"'), "icc_profile": PROFILE, "lossless": lossless}
    data = encoded(coffee[:65, :97], "WEBP", **settings)
    data += b"odd \x03\0\0\0abc\0"
    data = data[:4] + struct.pack("<L", len(data) - 8) + data[8:]
    path = tmp_path / "photo.webp"
    path.write_bytes(data)
    new = enhance(path).read_bytes()
    pixels = {b"VP8 ", b"VP8L"}
    old_chunks, new_chunks = (
        {part.kind: part.content for part in webp.split(file)[0] if part.kind not in pixels}
        for file in (data, new)
    )
    assert new_chunks == old_chunks
    assert len(new_chunks) == 4
    assert webp.is_lossless(new) is lossless
    with Image.open(io.BytesIO(new)) as image:
        assert image.size == (97, 65)
        assert image.info["xmp"] == settings["xmp"]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_an_opaque_alpha_channel_is_no_reason_to_refuse(
    coffee: Pixels, tmp_path: Path, mode: str, suffix: str
) -> None:
    image = Image.fromarray(coffee[:64, :96]).convert("RGB" if mode == "P" else mode)
    if mode == "P":
        image = image.quantize(16)
        image.info["transparency"] = b"\xff" * 16
    path = tmp_path / f"photo.{suffix}"
    image.save(path, lossless=True)
    old, new = read_photo(path), read_photo(enhance(path))
    assert np.abs(new.pixels - old.pixels * 0.5).mean() < 1


def exif_with_thumbnail(thumbnail: bytes) -> tuple[bytes, bytes]:
    """EXIF data whose thumbnail lies between notes of the maker; and those notes."""
    notes = b"Apple iOS\0 offsets that nobody else knows"
    tail = b"what the notes point to"
    out = bytearray(exif.PREFIX + b"MM\0*\0\0\0\x08")
    base = len(exif.PREFIX)
    first, second = 8, 8 + 2 + 12 + 4
    data_at = second + 2 + 3 * 12 + 4
    out += struct.pack(">HHHLLL", 1, 0x927C, 7, len(notes), data_at, second)
    assert len(out) - base == second
    start = data_at + len(notes)
    out += struct.pack(">H", 3)
    out += struct.pack(">HHLHH", 0x0103, 3, 1, 6, 0)
    out += struct.pack(">HHLL", 0x0201, 4, 1, start)
    out += struct.pack(">HHLL", 0x0202, 4, 1, len(thumbnail))
    out += struct.pack(">L", 0) + notes + thumbnail + tail
    assert first == 8
    return bytes(out), tail


@pytest.mark.parametrize(("fmt", "suffix"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")])
def test_the_thumbnail_is_renewed_and_nothing_around_it_moves(
    coffee: Pixels, tmp_path: Path, fmt: str, suffix: str
) -> None:
    photo = Image.fromarray(coffee[:240, :320])
    data, tail = exif_with_thumbnail(encoded(np.asarray(photo.resize((160, 120))), "JPEG"))
    path = tmp_path / f"photo.{suffix}"
    photo.save(path, fmt, exif=data)
    with Image.open(enhance(path)) as image:
        new = image.info["exif"].removeprefix(exif.PREFIX)
        pixels = np.asarray(image.convert("RGB"), np.float32)
    old = data.removeprefix(exif.PREFIX)
    assert len(new) == len(old)
    assert new.endswith(tail)
    start, length = (struct.unpack(">L", new[place : place + 4])[0] for place in (48, 60))
    assert new[:60] == old[:60]
    with Image.open(io.BytesIO(new[start : start + length])) as thumbnail:
        assert thumbnail.size == (160, 120)
        seen = np.asarray(thumbnail, np.float32)
    assert abs(seen.mean() - pixels.mean()) < 3


@pytest.mark.parametrize(
    "thumbnail", [b"\xff\xd8 no picture", encoded(np.zeros((1, 1, 3), np.uint8), "JPEG")[:300]]
)
def test_a_thumbnail_that_cannot_be_renewed_is_unlinked(thumbnail: bytes) -> None:
    data, tail = exif_with_thumbnail(thumbnail)
    new = exif.renew_thumbnail(data, Image.new("RGB", (320, 240)))
    assert len(new) == len(data)
    assert new.endswith(tail)
    tags = Image.Exif()
    tags.load(new)
    assert not tags.get_ifd(0x0001)
    assert new[6 + 22 : 6 + 26] == bytes(4)


@pytest.mark.parametrize("data", [b"", b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"II*\0\x08"])
def test_broken_exif_stays_as_it_is(data: bytes) -> None:
    assert exif.renew_thumbnail(data, Image.new("RGB", (32, 24))) == data


def test_a_broken_png_does_not_end_the_run(
    coffee: Pixels, tmp_path: Path, capsys: Captured
) -> None:
    whole = encoded(coffee[:64, :96], "PNG")
    palette = io.BytesIO()
    Image.fromarray(coffee[:64, :96]).quantize(16).save(palette, "PNG")
    no_palette = palette.getvalue()
    place = no_palette.index(b"PLTE") - 4
    length = int.from_bytes(no_palette[place : place + 4], "big") + 12
    bad = {
        "no-palette.png": no_palette[:place] + no_palette[place + length :],
        "transparent-nothing.png": no_palette[:place]
        + chunk(b"tRNS", b"\0" * 9)
        + no_palette[place + length :],
        "short-header.png": whole[:16] + whole[20:],
        "bad-text.png": with_chunks(whole, chunk(b"zTXt", b"Title\0\0not compressed")),
        "bad-profile.png": with_chunks(whole, chunk(b"iCCP", b"name\0\0not compressed")),
        "bad-physics.png": with_chunks(whole, chunk(b"pHYs", b"\0")),
        "bad-gamma.png": with_chunks(whole, chunk(b"gAMA", b"")),
        "bad-exif.png": with_chunks(whole, chunk(b"eXIf", b"MM\0*")),
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "zebra.png").write_bytes(whole)
    paths = [str(tmp_path / name) for name in (*bad, "zebra.png")]
    main(["enhance", *paths, "--enhancer", f"{__name__}:Darker", "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["photo"] for line in lines] == paths
    assert lines[-1]["file"] == str(tmp_path / "zebra-darker.png")
    assert all(line.get("error", {}).get("reason") != "enhance" for line in lines)


@pytest.mark.parametrize("kind", ["link", "chain", "hard link", "dangling link", "folder link"])
def test_the_photo_is_never_written_through_a_link(
    coffee: Pixels, tmp_path: Path, capsys: Captured, kind: str
) -> None:
    photo, target = tmp_path / "photo.png", tmp_path / "photo-darker.png"
    photo.write_bytes(encoded(coffee[:64, :96], "PNG"))
    before = photo.read_bytes()
    if kind == "link":
        target.symlink_to("photo.png")
    elif kind == "chain":
        (tmp_path / "other.png").symlink_to(photo)
        target.symlink_to(tmp_path / ".." / tmp_path.name / "other.png")
    elif kind == "hard link":
        target.hardlink_to(photo)
    elif kind == "folder link":
        target.symlink_to(tmp_path)
    else:
        target.symlink_to("nowhere.png")
    enhance(photo, "--force", code=1)
    assert "link" in capsys.readouterr().err
    assert photo.read_bytes() == before
    assert not (tmp_path / "nowhere.png").exists()


def test_a_link_that_appears_meanwhile_is_not_written_through(
    coffee: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, target = tmp_path / "photo.png", tmp_path / "photo-darker.png"
    photo.write_bytes(encoded(coffee[:64, :96], "PNG"))
    before = photo.read_bytes()

    def enhance_slowly(_: Darker, pixels: Photo) -> Photo:
        target.symlink_to(photo)
        return pixels * np.float32(0.5)

    monkeypatch.setattr(Darker, "enhance", enhance_slowly)
    enhance(photo, "--force", code=1)
    assert photo.read_bytes() == before


def wide_profile() -> bytes:
    """A minimal RGB profile with the primaries of Display P3 and a gamma of 2.2."""
    primaries = {"r": (0.51512, 0.2412, -0.00105), "g": (0.29198, 0.69225, 0.04189)}
    primaries["b"] = (0.1571, 0.06657, 0.78407)

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(2.2 * 256), 0)
    tags = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"made\0" + bytes(79)}
    tags |= {b"cprt": b"text\0\0\0\0none\0", b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1, 0.8249)}
    for name, values in primaries.items():
        tags[f"{name}XYZ".encode()] = b"XYZ \0\0\0\0" + fixed(*values)
        tags[f"{name}TRC".encode()] = curve
    table, body = struct.pack(">I", len(tags)), b""
    for tag, content in tags.items():
        content += bytes(-len(content) % 4)
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(content))
        body += content
    size = 128 + len(table) + len(body)
    head = struct.pack(">I4xI", size, 0x02400000) + b"mntrRGB XYZ " + bytes(12) + b"acsp"
    head += bytes(28) + fixed(0.9642, 1, 0.8249)
    return head.ljust(128, b"\0") + table + body


def test_a_photo_stays_in_its_own_space_and_keeps_colors_outside_srgb(
    coffee: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile, pixels = wide_profile(), coffee[:64, :96].copy()
    pixels[:32, :32] = 0, 255, 0  # greener than any sRGB green
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(pixels, "PNG", icc_profile=profile))
    new = enhance(path)
    with Image.open(new) as image:
        assert image.info["icc_profile"] == profile
    assert abs(read_photo(new).pixels[32:] - read_photo(path).pixels[32:] * 0.5).mean() < 1
    monkeypatch.setattr(Darker, "enhance", lambda _, photo: photo)
    with Image.open(enhance(path, "--force")) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)


def test_a_broken_profile_is_kept_as_it_is(coffee: Pixels, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(coffee[:64, :96], "JPEG", icc_profile=b"no profile at all"))
    with Image.open(enhance(path)) as image:
        assert image.info["icc_profile"] == b"no profile at all"
