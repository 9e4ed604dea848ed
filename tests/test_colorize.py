"""Gray photos are found, and get the colours that a network says; lightness stays."""

from __future__ import annotations

import io

import cv2
import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio as psnr

from pipelines.enhancers import load_enhancer
from pipelines.enhancers.colorize_network import ColourBins, bin_loss
from pipelines.enhancers.colour import chroma_square, coloured, is_gray, lightness_square
from pipelines.pixels import to_float, to_pixels

Pixels = npt.NDArray[np.uint8]
Photo = npt.NDArray[np.float32]


def lab(photo: Photo) -> Photo:
    return cv2.cvtColor(photo, cv2.COLOR_RGB2LAB)


def without_colours(photo: Photo) -> Photo:
    values = lab(photo)
    values[..., 1:] = 0
    return cv2.cvtColor(values, cv2.COLOR_LAB2RGB).clip(0, 1)


@settings(max_examples=10)
@given(quality=st.integers(5, 100), subsampling=st.sampled_from([0, 2]))
def test_gray_is_gray_after_jpeg_too(coffee: Pixels, quality: int, subsampling: int) -> None:
    buffer = io.BytesIO()
    gray = Image.fromarray(coffee).convert("L").convert("RGB")
    gray.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    assert is_gray(to_float(np.asarray(Image.open(buffer))))


def test_faint_colours_and_sepia_are_colours(coffee: Pixels) -> None:
    gray = without_colours(to_float(coffee))
    assert is_gray(gray)
    for photo in (to_float(coffee), gray * np.array([1, 0.95, 0.85], np.float32)):
        assert not is_gray(photo)
    accent = gray.copy()
    accent[100:120, 100:140] *= np.array([1, 0.2, 0.2], np.float32)
    assert not is_gray(accent)


@pytest.mark.parametrize("shape", [(400, 600), (1, 1), (3, 700), (700, 3)])
def test_colours_come_back_from_the_small_square(coffee: Pixels, shape: tuple[int, int]) -> None:
    photo = to_float(cv2.resize(coffee, shape[::-1], interpolation=cv2.INTER_AREA))
    gray = without_colours(photo)
    again = coloured(gray, chroma_square(photo))
    assert again.shape == photo.shape
    if shape == (400, 600):
        assert psnr(photo, again) > psnr(photo, gray) + 15
        assert np.abs(lab(again) - lab(gray))[..., 0].mean() < 0.5
    assert lightness_square(gray).shape == (256, 256, 1)


@given(st.lists(st.tuples(st.floats(-80, 80), st.floats(-80, 80)), min_size=1, max_size=20))
def test_the_mean_of_the_bins_of_a_colour_is_the_colour(colours: list[tuple[float, float]]) -> None:
    chroma = np.array(colours, np.float32)
    bins = ColourBins(chroma)
    shares = bins.targets(chroma)
    shares /= shares.sum(-1, keepdims=True)
    # Bins with hardly any share are left out.
    assert np.abs(shares @ bins.centres - chroma).max() < 0.1


def test_rare_colours_weigh_more_and_the_right_answer_costs_least() -> None:
    chroma = np.zeros((100, 2), np.float32)
    chroma[:5] = 64
    bins = ColourBins(chroma)
    targets = bins.targets(chroma)
    rare, common = targets[0], targets[-1]
    assert rare.sum() > 1.5 * common.sum()
    assert targets.sum(-1).mean() == pytest.approx(1, abs=0.01)
    right, wrong = 4 * targets, 4 * targets[::-1]
    losses = [keras.ops.convert_to_numpy(bin_loss(targets, s)).mean() for s in (right, wrong)]
    assert losses[0] < losses[1]


def test_a_photo_without_faults_in_eight_bits_stays_gray(coffee: Pixels) -> None:
    gray = without_colours(to_float(coffee))
    nothing = np.zeros((64, 64, 2), np.float32)
    assert np.abs(to_pixels(coloured(gray, nothing)).astype(int) - to_pixels(gray)).max() <= 1


def test_gray_photos_get_colours_and_others_are_left_alone(coffee: Pixels) -> None:
    enhancer = load_enhancer("colorize")
    photo = to_float(coffee)
    assert enhancer.enhance(photo) is photo
    gray = without_colours(photo)
    shown = enhancer.enhance(gray)
    assert not is_gray(shown)
    assert np.abs(lab(shown) - lab(gray))[..., 0].mean() < 1
    assert (enhancer.enhance(gray) == shown).all()


def test_one_small_spot_of_colour_in_a_large_photo_is_kept() -> None:
    photo = np.full((1500, 2000, 3), 0.5, np.float32)
    assert is_gray(photo)
    photo[700:720, 900:920] = (0.9, 0.1, 0.1)
    assert not is_gray(photo)
