from __future__ import annotations

import io
import logging

import numpy as np
import pytest
from photo_files import DISPLAY_P3, encode, gray_profile, matrix_profile
from PIL import Image, ImageCms

from trigger.photo import read_photo
from trigger.photo.color import from_srgb, srgb_profile
from trigger.preprocessing import STANDARD

P3 = matrix_profile(DISPLAY_P3, 2.2)
NEAR_SRGB = matrix_profile(
    ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)), 1.0
)


def in_space(image: Image.Image, profile: bytes, mode: str = "RGB") -> Image.Image:
    target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    srgb = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(
        image, srgb, target, renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode=mode
    )
    assert converted is not None
    return converted


@pytest.fixture
def muted(coffee: np.ndarray) -> Image.Image:
    """A photo without colors that other spaces lack."""
    return Image.blend(Image.fromarray(coffee), Image.new("RGB", (600, 400), (128, 128, 128)), 0.3)


@pytest.mark.parametrize(("fmt", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": 1})])
def test_the_same_picture_in_any_space_is_the_same(
    fmt: str, options: dict[str, int], muted: Image.Image
) -> None:
    stored = in_space(muted, P3)
    assert np.abs(np.asarray(stored).astype(int) - np.asarray(muted)).mean() > 3
    photo = read_photo(encode(stored, fmt, icc_profile=P3, **options))
    assert (photo.profile_use, photo.icc_profile) == ("converted", P3)
    assert np.abs(photo.pixels.astype(int) - np.asarray(muted)).max() <= 3


def test_reduced_jpegs_and_pillow_images_are_converted_too(muted: Image.Image) -> None:
    data = encode(in_space(muted, P3), "JPEG", quality=95, icc_profile=P3)
    small = muted.reduce(2)
    assert np.abs(read_photo(data, at_least=200).pixels.astype(int) - np.asarray(small)).mean() < 2
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(read_photo(image).pixels, read_photo(data).pixels)


@pytest.mark.parametrize("profile", [srgb_profile(), b""], ids=["srgb", "none"])
def test_photos_in_srgb_keep_every_pixel(profile: bytes, coffee: np.ndarray) -> None:
    photo = read_photo(encode(coffee, "PNG", icc_profile=profile))
    assert photo.profile_use == ("srgb" if profile else "none")
    np.testing.assert_array_equal(photo.pixels, coffee)
    np.testing.assert_array_equal(STANDARD.apply(photo.image), STANDARD.apply(coffee))


def test_a_space_of_srgbs_colors_but_another_curve_is_converted(coffee: np.ndarray) -> None:
    assert read_photo(encode(coffee, "PNG", icc_profile=NEAR_SRGB)).pixels.mean() > coffee.mean()


@pytest.mark.parametrize("damage", ["cut", "noise", "other kind", "empty tags"])
def test_broken_profiles_count_as_srgb_and_are_recorded(
    damage: str, coffee: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    profile = {
        "cut": P3[:200],
        "noise": b"this is no profile",
        "other kind": gray_profile(1.0),  # of a photo in colors
        "empty tags": P3[:128] + bytes(len(P3) - 128),
    }[damage]
    with caplog.at_level(logging.DEBUG, "trigger"):
        photo = read_photo(encode(coffee, "PNG", icc_profile=profile))
    assert photo.profile_use == "broken"
    assert "ICC profile is broken" in caplog.text
    np.testing.assert_array_equal(photo.pixels, coffee)


def test_gray_profiles_are_applied_to_gray(coffee: np.ndarray) -> None:
    gray = Image.fromarray(coffee).convert("L")
    stored = np.rint(255 * (np.asarray(gray) / 255) ** 1.8).astype(np.uint8)
    same = read_photo(encode(stored, "PNG", icc_profile=gray_profile(2.2 / 1.8)))
    assert same.profile_use == "converted"
    assert np.abs(same.pixels[..., 0].astype(int) - np.asarray(gray)).mean() < 3
    wide = (stored.astype(np.uint16) * 257).astype(np.uint16)
    deep = read_photo(encode(wide, "PNG", icc_profile=gray_profile(2.2 / 1.8)))
    np.testing.assert_array_equal(deep.pixels, same.pixels)


def test_a_profile_for_rgb_also_fits_gray(coffee: np.ndarray) -> None:
    gray = Image.fromarray(coffee).convert("L")
    photo = read_photo(encode(gray, "PNG", icc_profile=P3))
    assert photo.profile_use == "converted"
    assert (photo.pixels == photo.pixels[..., :1]).all()


def test_what_was_converted_comes_back(muted: Image.Image) -> None:
    stored = in_space(muted, P3)
    photo = read_photo(encode(stored, "PNG", icc_profile=P3))
    back, profile = from_srgb(photo.image, photo.icc_profile, gray=False)
    assert profile == P3
    assert np.abs(np.asarray(back).astype(int) - np.asarray(stored)).max() <= 3


def test_what_cannot_come_back_is_srgb(muted: Image.Image) -> None:
    assert from_srgb(muted, b"", gray=False) == (muted, b"")
    assert from_srgb(muted, b"no profile", gray=False) == (muted, b"")
    assert from_srgb(muted, gray_profile(1.0), gray=False) == (muted, srgb_profile())
    back, profile = from_srgb(muted, gray_profile(1.0), gray=True)
    assert (back.mode, profile) == ("L", gray_profile(1.0))
