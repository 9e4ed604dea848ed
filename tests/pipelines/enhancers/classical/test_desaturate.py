"""Overexposed photos are brought back; others are left alone, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.data import astronaut, cat, chelsea, coffee, rocket
from skimage.metrics import peak_signal_noise_ratio as psnr

from pipelines.data.pixels import to_float
from pipelines.degradation.model import Factors, degrade
from pipelines.enhancers import enhance_pixels, load_enhancer

PHOTOS = [astronaut(), cat(), chelsea(), coffee(), rocket()]
ENHANCER = load_enhancer("desaturate")


@pytest.mark.parametrize(("exposure", "least_gain"), [(1.6, 3.0), (2.2, 5.0)])
def test_overexposed_photos_gain_decibels(exposure: float, least_gain: float) -> None:
    gains = []
    for photo in PHOTOS:
        factors = Factors(exposure=exposure, spill=0.4)
        clipped = degrade(to_float(photo), factors, np.random.default_rng(0))
        gains.append(psnr(photo, enhance_pixels(ENHANCER, clipped)) - psnr(photo, clipped))
    assert np.mean(gains) > least_gain


@pytest.mark.parametrize("photo", [*PHOTOS, np.full((64, 64, 3), 240, np.uint8)])
def test_well_exposed_and_unclipped_photos_stay(photo: np.ndarray) -> None:
    values = to_float(photo)
    assert ENHANCER.enhance(values) is values


def test_brighter_stays_brighter_and_hues_stay() -> None:
    ramp = np.linspace(0, 1.6, 200, dtype=np.float32).clip(0, 1)
    photo = (
        ramp[:, None, None] * np.array([1, 0.9, 0.8], np.float32) * np.ones((1, 50, 1), np.float32)
    )
    result = ENHANCER.enhance(photo)
    brightness = result[:, 0, 0]
    assert (np.diff(brightness) >= 0).all()
    assert brightness[100] < 0.8 * photo[100, 0, 0]
    assert result[1:] / result[1:, :, :1] == pytest.approx(photo[1:] / photo[1:, :, :1], abs=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (3, 400)])
def test_any_size_is_enhanced(shape: tuple[int, int]) -> None:
    white = np.full((*shape, 3), 255, np.uint8)
    assert enhance_pixels(ENHANCER, white).shape == white.shape


def test_pages_stay_white() -> None:
    page = np.full((300, 200, 3), 255, np.uint8)
    page[20:-20:12, 20:-20] = 30
    assert (enhance_pixels(ENHANCER, page) == page).all()
