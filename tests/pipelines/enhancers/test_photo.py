"""Enhanced photos appear next to their originals, which nothing ever touches."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from photo_files import DISPLAY_P3, matrix_profile
from PIL import Image, ImageCms, PngImagePlugin

from pipelines.scorers import checked_opinions, load_scorer, mean_score
from trigger import Trigger
from trigger.cli.app import main
from trigger.errors import ScorerError
from trigger.photo import read_photo

Pixels = npt.NDArray[np.uint8]
Photo = npt.NDArray[np.float32]
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ORIENTATION, MAKER = 0x0112, 0x010F


class Unchanged:
    name, version, tile_multiple = "unchanged", "1", 1

    def enhance(self, photo: Photo) -> Photo:
        return photo


class Noisy:
    name, version, tile_multiple = "noisy", "1", 1

    def enhance(self, photo: Photo) -> Photo:
        noise = np.random.default_rng(1).standard_normal(photo.shape, np.float32)
        return np.clip(photo + 0.2 * noise, 0, 1)


class Failing:
    """Fails in another way for each height."""

    name, version, tile_multiple = "failing", "1", 1

    def enhance(self, photo: Photo) -> Photo:
        match photo.shape[0]:
            case 31:
                raise RuntimeError("out of paint")
            case 32:
                return np.full_like(photo, np.nan)
            case 33:
                return photo[:-1]
        return photo


def enhance(*arguments: str | Path, enhancer: str = f"{__name__}:Unchanged", code: int = 0) -> None:
    assert main(["enhance", *map(str, arguments), "--enhancer", enhancer]) == code


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    tags[MAKER] = "Camera Works"
    return tags.tobytes()


def late(png: bytes) -> bytes:
    """The same file with its EXIF data behind its pixels."""
    start = png.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(png[start : start + 4], "big")
    return png[:start] + png[end:-12] + png[start:end] + png[-12:]


def test_exif_of_a_png_is_kept_wherever_it_stands(coffee: Pixels, tmp_path: Path) -> None:
    small, path = Image.fromarray(coffee[:60, :100]), tmp_path / "late.png"
    small.save(path, exif=exif(6))
    path.write_bytes(late(path.read_bytes()))
    written = PngImagePlugin.PngInfo()
    digits = exif(6).hex()
    lines = "\n".join(digits[start : start + 72] for start in range(0, len(digits), 72))
    written.add_text("Raw profile type exif", f"\nexif\n{len(digits) // 2:8}\n{lines}\n", zip=True)
    small.save(tmp_path / "text.png", pnginfo=written)
    for name in ("late", "text"):
        assert read_photo(tmp_path / f"{name}.png").width == 60
        enhance(tmp_path / f"{name}.png")
        with Image.open(tmp_path / f"{name}-unchanged.png") as image:
            assert image.size == (100, 60)
            assert image.getexif()[ORIENTATION] == 6
            assert image.getexif()[MAKER] == "Camera Works"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("extension", "options", "tolerance"),
    [
        ("jpg", {"quality": 98, "subsampling": 0, "dpi": (300, 300)}, 2),
        ("png", {"dpi": (300, 300)}, 0),
        ("webp", {"lossless": True, "exact": True}, 0),
    ],
)
def test_format_metadata_and_orientation_are_kept(
    coffee: Pixels,
    tmp_path: Path,
    orientation: int,
    extension: str,
    options: dict[str, Any],
    tolerance: float,
) -> None:
    path = tmp_path / f"photo.{extension}"
    small = Image.fromarray(coffee[:120, :200])
    small.save(path, exif=exif(orientation), icc_profile=PROFILE, **options)
    before = path.read_bytes()
    enhance(path)
    assert path.read_bytes() == before
    written = tmp_path / f"photo-unchanged.{extension}"
    assert sorted(tmp_path.iterdir()) == [written, path]
    old, new = read_photo(path), read_photo(written)
    assert (new.format, new.width, new.height) == (old.format, old.width, old.height)
    assert np.abs(new.pixels.astype(int) - old.pixels).mean() <= tolerance
    with Image.open(path) as one, Image.open(written) as other:
        assert other.info["exif"] == one.info["exif"]
        assert other.info["icc_profile"] == PROFILE
        assert other.info.get("dpi") == one.info.get("dpi")


def test_a_bmp_stays_one_and_a_lossy_webp_lossy(coffee: Pixels, tmp_path: Path) -> None:
    small = Image.fromarray(coffee[:120, :200])
    small.save(tmp_path / "photo.bmp", dpi=(300, 300))
    small.save(tmp_path / "photo.webp", quality=80)
    enhance(*sorted(tmp_path.iterdir()))
    with Image.open(tmp_path / "photo-unchanged.bmp") as image:
        assert (image.format, round(image.info["dpi"][0])) == ("BMP", 300)
        np.testing.assert_array_equal(np.asarray(image), coffee[:120, :200])
    assert b"VP8L" not in (tmp_path / "photo-unchanged.webp").read_bytes()
    old, new = (read_photo(tmp_path / f"photo{end}.webp").pixels for end in ("", "-unchanged"))
    assert np.abs(new.astype(int) - old).mean() < 3


def test_a_second_run_does_not_enhance_what_the_first_has_made(
    coffee: Pixels, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(coffee[:60, :80]).save(tmp_path / "photo.png")
    Image.fromarray(coffee[:60, :90]).save(tmp_path / "alone-unchanged.png")
    shutil.copy(tmp_path / "photo.png", tmp_path / ".-unchanged")
    enhance(*tmp_path.iterdir())
    files = sorted(tmp_path.iterdir())
    assert tmp_path / "alone-unchanged-unchanged.png" in files
    enhance(*tmp_path.iterdir(), "--force")
    assert sorted(tmp_path.iterdir()) == files
    assert "skipped 3: results of unchanged" in capsys.readouterr().err


class Painting:
    name, version, tile_multiple = "painting", "1", 1

    def enhance(self, photo: Photo) -> Photo:
        return photo * np.array([1, 0.7, 0.4], np.float32)


def test_a_gray_photo_that_was_given_colors_shows_them(coffee: Pixels, tmp_path: Path) -> None:
    gray = Image.fromarray(coffee).convert("L")
    gray.save(tmp_path / "gray.jpg", icc_profile=b"a profile of gray")
    enhance(tmp_path / "gray.jpg", enhancer=f"{__name__}:Painting")
    with Image.open(tmp_path / "gray-painting.jpg") as image:
        assert image.mode == "RGB"
        assert "icc_profile" not in image.info
        red, _, blue = np.asarray(image, np.float32).mean((0, 1))
    assert red > 2 * blue


def test_gray_stays_gray(coffee: Pixels, tmp_path: Path) -> None:
    Image.fromarray(coffee).convert("L").save(tmp_path / "gray.jpg")
    enhance(tmp_path / "gray.jpg")
    with Image.open(tmp_path / "gray-unchanged.jpg") as image:
        assert image.mode == "L"


def saved(pixels: Pixels, fmt: str, mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, fmt, **options)
    return buffer.getvalue()


def deep_png(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(buffer, "PNG")
    return buffer.getvalue()


def glass_png(pixels: Pixels) -> bytes:
    image, buffer = Image.fromarray(pixels), io.BytesIO()
    image.putalpha(254)
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_what_would_lose_by_it_is_refused(
    coffee: Pixels, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = coffee[:50, :60]
    moving: dict[str, Any] = {"save_all": True, "append_images": [Image.fromarray(255 - small)]}
    reasons = {
        "moving.gif": (saved(small, "GIF", **moving), "GIF files are read but not written"),
        "moving.png": (saved(small, "PNG", **moving), "animated"),
        "moving.webp": (saved(small, "WebP", **moving), "animated"),
        "deep.png": (deep_png(small), "16 bits"),
        "glass.png": (glass_png(small), "transparency"),
        "print.jpg": (saved(small, "JPEG", "CMYK"), "CMYK"),
        "scan.tif": (saved(small, "TIFF"), "TIFF files"),
        "broken.png": (saved(small, "PNG")[:900], "cut short"),
        "diary.jpg": (b"Dear diary", "not a photo"),
    }
    for name, (data, _) in reasons.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "fine.png").write_bytes(saved(small, "PNG"))
    paths = [tmp_path / name for name in reasons]
    enhance(*paths, tmp_path / "gone.jpg", tmp_path / "fine.png", code=1)
    output = capsys.readouterr()
    for (name, (_, words)), line in zip(reasons.items(), output.err.splitlines(), strict=False):
        assert name in line
        assert words in line
    assert "gone.jpg: no such file" in output.err
    assert {path.name for path in tmp_path.iterdir()} == {
        *reasons,
        "fine.png",
        "fine-unchanged.png",
    }


def test_nothing_is_overwritten_without_force_and_what_failed_is_told(
    coffee: Pixels,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo, written = tmp_path / "photo.png", tmp_path / "photo-unchanged.png"
    Image.fromarray(coffee[:50, :60]).save(photo)
    written.write_bytes(b"precious")
    enhance(photo, "--json", code=1)
    assert written.read_bytes() == b"precious"
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["reason"] == "write"
    assert "exists already; replace it with --force" in error["message"]
    enhance(photo, "--force")
    assert read_photo(written).width == 60

    def score(*_: object) -> None:
        raise ScorerError("out of opinions")

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.enhancers.photo.checked_opinions", score)
        enhance(photo, "--force", "--json", code=1)
    error = json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
    assert error == {"reason": "score", "message": "out of opinions"}
    photo = photo.rename(tmp_path / f"{'x' * 250}.png")
    enhance(photo, code=1)
    assert "its name must not be too long" in capsys.readouterr().err


@pytest.mark.parametrize("name", [".", "/", ""])
def test_what_is_no_photo_has_a_reason(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["enhance", name, "--json"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["reason"] == ("directory" if name else "missing")


def test_whether_it_helped_is_told_and_decides(
    photographs: Mapping[str, Pixels], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "photo.png"
    clean = photographs["astronaut"]
    noise = np.random.default_rng(0).normal(0, 30, clean.shape)
    Image.fromarray(np.clip(clean + noise, 0, 255).astype(np.uint8)).save(photo)
    enhance(photo, "--json", "--keep-if-better", enhancer="classical")
    better = json.loads(capsys.readouterr().out)
    assert better["helped"]
    assert better["delta"] > 0
    assert better["delta"] == pytest.approx(better["enhanced_score"] - better["input_score"])
    assert better["score_after"] < better["score"]
    assert Path(better["file"]).is_file()

    enhance(photo, "--json", "--keep-if-better", enhancer=f"{__name__}:Noisy")
    worse = json.loads(capsys.readouterr().out)
    assert not worse["helped"]
    assert worse["file"] is None
    assert not (tmp_path / "photo-noisy.png").exists()
    enhance(photo, enhancer=f"{__name__}:Noisy")
    assert "  no  " in capsys.readouterr().out
    assert (tmp_path / "photo-noisy.png").exists()
    enhance(photo, "--json", "--keep-if-better")
    same = json.loads(capsys.readouterr().out)
    assert (same["delta"], same["helped"], same["file"]) == (0, False, None)


def test_what_is_judged_is_the_file_that_was_written(
    coffee: Pixels, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(coffee).save(tmp_path / "photo.jpg", quality=50)
    enhance(tmp_path / "photo.jpg", "--json")
    said = json.loads(capsys.readouterr().out)
    versions = [read_photo(said[name]).pixels for name in ("photo", "file")]
    opinions = mean_score(checked_opinions(load_scorer("nima"), versions))
    assert said["input_score"] == pytest.approx(opinions[0], abs=1e-6)
    assert said["enhanced_score"] == pytest.approx(opinions[1], abs=1e-6)
    assert said["score_after"] == pytest.approx(Trigger().assess(said["file"]).score, abs=1e-6)
    assert said["delta"] != 0


def test_enhancers_that_fail_on_a_photo_do_not_stop_the_rest(
    coffee: Pixels, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for height in (31, 32, 33, 34):
        Image.fromarray(coffee[:height, :60]).save(tmp_path / f"{height}.png")
    photos = [*sorted(tmp_path.iterdir()), tmp_path / "gone.png"]
    enhance(*photos, "--json", enhancer=f"{__name__}:Failing", code=1)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["error"] == {"reason": "missing", "message": "no such file; check the path."}
    for line, words in zip(lines, ("out of paint", "not finite", "same shape"), strict=False):
        assert line["error"]["reason"] == "enhance"
        assert words in line["error"]["message"]
    assert [path.name for path in tmp_path.glob("*-failing.png")] == ["34-failing.png"]


def test_unknown_enhancers_are_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    enhance(tmp_path / "photo.png", enhancer="magic", code=2)
    assert "known enhancers: classical" in capsys.readouterr().err


def test_a_photo_in_another_space_is_written_in_that_space(coffee: Pixels, tmp_path: Path) -> None:
    profile = matrix_profile(DISPLAY_P3, 2.2)
    muted = coffee // 3 + 80  # no colors that sRGB lacks
    Image.fromarray(muted).save(tmp_path / "p3.png", icc_profile=profile)
    enhance(tmp_path / "p3.png")
    (written,) = (path for path in tmp_path.iterdir() if path.name != "p3.png")
    with Image.open(written) as image:
        assert image.info["icc_profile"] == profile
        assert np.abs(np.asarray(image).astype(int) - muted).max() <= 3
