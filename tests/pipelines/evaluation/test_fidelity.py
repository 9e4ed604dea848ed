"""SSIM and PSNR-B agree with their published definitions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from skimage.metrics import peak_signal_noise_ratio

from pipelines.data.pixels import to_float
from pipelines.degradation.model import Factors, degrade
from pipelines.evaluation.fidelity import capped_psnr, psnr_b, similarity, windowed_similarity

Pixels = npt.NDArray[np.uint8]


@pytest.fixture
def pair(coffee: Pixels) -> tuple[Pixels, Pixels]:
    photo = coffee[100:141, 200:251]
    return photo, degrade(to_float(photo), Factors(jpeg_quality=10), np.random.default_rng(0))


def test_similarity_is_one_for_the_same_photo_and_falls_with_noise(coffee: Pixels) -> None:
    noise = np.random.default_rng(0).normal(0, 1, coffee.shape)
    noisy = [np.clip(coffee + sigma * noise, 0, 255).astype(np.uint8) for sigma in (10, 30)]
    assert similarity(coffee, coffee) == 1
    assert capped_psnr(coffee, coffee) == 60
    expected = peak_signal_noise_ratio(coffee, noisy[0])
    assert capped_psnr(coffee, noisy[0]) == pytest.approx(expected)
    assert 1 > similarity(coffee, noisy[0]) > similarity(coffee, noisy[1])


def test_similarity_is_the_mean_over_all_windows(pair: tuple[Pixels, Pixels]) -> None:
    windows = (
        np.lib.stride_tricks.sliding_window_view(photo.astype(float), (8, 8), axis=(0, 1))
        for photo in pair
    )
    x, y = (window.reshape(*window.shape[:3], 64) for window in windows)
    mean_x, mean_y = x.mean(-1), y.mean(-1)
    covariance = ((x - mean_x[..., None]) * (y - mean_y[..., None])).mean(-1)
    expected = (2 * mean_x * mean_y + 6.5025) * (2 * covariance + 58.5225)
    expected /= (mean_x**2 + mean_y**2 + 6.5025) * (x.var(-1) + y.var(-1) + 58.5225)
    assert windowed_similarity(*pair) == pytest.approx(expected.mean())
    assert windowed_similarity(pair[0], pair[0]) == pytest.approx(1)


def test_blocks_on_the_grid_cost_psnr_b_alone(pair: tuple[Pixels, Pixels]) -> None:
    original, blocked = pair
    assert psnr_b(original, blocked) < peak_signal_noise_ratio(original, blocked) - 0.5
    flat = np.full((40, 48, 3), 100, np.uint8)
    assert psnr_b(flat, flat + np.uint8(5)) == pytest.approx(20 * np.log10(255 / 5))
    stepped = flat.copy()
    stepped[:, 24:] += 10  # on one of five column borders and no row border, 40 of 440 pairs
    weight = 3 / np.log2(40)
    error = 50 + weight * 100 * 40 / (40 * 5 + 48 * 4)
    assert psnr_b(flat, stepped) == pytest.approx(10 * np.log10(255**2 / error))
    assert psnr_b(flat, np.roll(stepped, 3, axis=1)) > psnr_b(flat, stepped)
