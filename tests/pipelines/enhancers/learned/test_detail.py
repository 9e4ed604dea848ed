"""Texture that a repair removes is given back; noise is not, and sharpening stays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage.data import brick, coffee, grass, gravel
from skimage.metrics import peak_signal_noise_ratio

from pipelines.data.pixels import FloatPhoto, to_float
from pipelines.enhancers.learned import detail
from pipelines.enhancers.learned.detail import keep_detail, noise_variance

SKY = np.full((120, 256, 3), [0.45, 0.6, 0.8], np.float32)


def blurred(photo: FloatPhoto, sigma: float = 1.5) -> FloatPhoto:
    return cv2.GaussianBlur(photo, (0, 0), sigma)


def textured(texture: np.ndarray) -> FloatPhoto:
    """A sky above a textured ground."""
    ground = np.repeat(to_float(texture[:200, :256])[..., None], 3, axis=2)
    return np.concatenate([SKY, ground])


@pytest.mark.parametrize("texture", [grass(), gravel(), brick()], ids=["grass", "gravel", "brick"])
def test_texture_is_no_noise(texture: np.ndarray) -> None:
    photo = textured(texture)
    smoothed = blurred(photo)
    kept = keep_detail(photo, smoothed)
    gain = peak_signal_noise_ratio(photo, kept) - peak_signal_noise_ratio(photo, smoothed)
    assert gain > 9


def test_noise_stays_removed_beside_texture_that_comes_back() -> None:
    clean = textured(grass())
    noise = np.random.default_rng(0).normal(0, 6 / 255, clean.shape).astype(np.float32)
    noisy = np.clip(clean + noise, 0, 1)
    kept = keep_detail(noisy, blurred(noisy))
    flat, ground = np.s_[10:100], np.s_[140:310]
    assert kept[flat].std() < 0.5 * noisy[flat].std() + SKY.std()
    assert np.abs(kept[flat] - blurred(noisy)[flat]).max() < 3 / 255
    assert peak_signal_noise_ratio(clean[ground], kept[ground]) > 3 + peak_signal_noise_ratio(
        clean[ground], blurred(noisy)[ground]
    )


def test_sharpening_and_colours_stay() -> None:
    photo = blurred(to_float(coffee()[:200, :300]))
    sharpened = np.clip(photo + 0.8 * (photo - blurred(photo, 2)), 0, 1)
    assert np.abs(keep_detail(photo, sharpened) - sharpened).max() < 0.01
    tinted = np.clip(photo + np.array([0.02, -0.01, -0.002], np.float32), 0, 1)
    assert np.abs(keep_detail(photo, tinted) - tinted).max() < 0.01


def test_the_estimate_grows_with_noise_and_not_with_texture() -> None:
    clean = textured(gravel())
    rng = np.random.default_rng(0)
    grains = rng.normal(0, 1 / 255, clean.shape).astype(np.float32)
    estimates = [noise_variance(clean + strength * grains) for strength in (0, 2, 5, 10)]
    assert estimates == sorted(estimates)
    assert estimates[0] < (0.5 / 255) ** 2


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_plain_pictures_and_single_pixels_are_no_problem(value: float) -> None:
    for shape in ((1, 1, 3), (40, 30, 3)):
        plain = np.full(shape, value, np.float32)
        assert np.abs(keep_detail(plain, plain) - plain).max() < 1 / 255


def test_windows_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = textured(grass())
    whole = keep_detail(photo, blurred(photo))
    monkeypatch.setattr(detail, "TILE", (96, 112))
    assert np.abs(keep_detail(photo, blurred(photo)) - whole).max() < 1e-5
