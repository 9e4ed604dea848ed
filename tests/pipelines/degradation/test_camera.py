"""The camera model: does what its factors say, and nothing by default."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.data.pixels import Pixels, to_float
from pipelines.degradation.camera import (
    CameraFactors,
    camera_pair,
    random_camera_factors,
    shake_kernel,
)


def taken(photo: Pixels, factors: CameraFactors, seed: int = 0) -> Pixels:
    return camera_pair(to_float(photo), factors, np.random.default_rng(seed))[1]


def error(photo: Pixels, factors: CameraFactors) -> float:
    flawless, made = camera_pair(to_float(photo), factors, np.random.default_rng(0))
    return float(np.square(made.astype(float) - flawless).mean())


@pytest.fixture(scope="module")
def crop(photographs: dict[str, Pixels]) -> Pixels:
    return photographs["coffee"][:201, :263]


def test_an_ideal_camera_changes_nothing(crop: Pixels) -> None:
    even = crop[:200, :262]
    flawless, made = camera_pair(to_float(even), CameraFactors(), np.random.default_rng(0))
    assert np.array_equal(flawless, even)
    assert np.abs(made.astype(int) - even).max() <= 1  # the gamma curve and back


@pytest.mark.parametrize(
    ("mild", "strong"),
    [
        (CameraFactors(defocus=0.5), CameraFactors(defocus=1.5)),
        (CameraFactors(shake=2), CameraFactors(shake=7)),
        (CameraFactors(photon_noise=0.001), CameraFactors(photon_noise=0.01)),
        (CameraFactors(enlargement=1.2), CameraFactors(enlargement=2)),
        (CameraFactors(qualities=(90,)), CameraFactors(qualities=(60,))),
        (CameraFactors(qualities=(70,)), CameraFactors(qualities=(70, 61))),
    ],
)
def test_stronger_factors_leave_less(
    crop: Pixels, mild: CameraFactors, strong: CameraFactors
) -> None:
    assert error(crop, CameraFactors()) < error(crop, mild) < error(crop, strong)


def test_the_camera_denoises_what_it_measured(crop: Pixels) -> None:
    noisy = CameraFactors(photon_noise=0.01, read_noise=0.01)
    denoised = CameraFactors(
        photon_noise=0.01, read_noise=0.01, luma_denoise=1.5, chroma_denoise=2.0
    )
    assert error(crop, denoised) < error(crop, noisy)


def test_sharpening_is_no_fault(crop: Pixels) -> None:
    even = crop[:200, :262]
    assert error(even, CameraFactors(sharpening=0.8)) < 2
    assert np.std(taken(even, CameraFactors(sharpening=0.8))) > np.std(even)


def test_drawn_factors_repeat_and_keep_the_size(crop: Pixels) -> None:
    for seed in range(20):
        factors = random_camera_factors(np.random.default_rng(seed))
        assert factors == random_camera_factors(np.random.default_rng(seed))
        assert factors.to_json()["qualities"] == factors.qualities
        made = taken(crop, factors, seed)
        assert made.shape == crop.shape
        assert np.array_equal(made, taken(crop, factors, seed))


def test_a_shake_is_as_long_as_asked() -> None:
    for length in (1.5, 4, 7):
        kernel = shake_kernel(length, np.random.default_rng(1))
        assert kernel.sum() == pytest.approx(1)
        assert kernel.min() >= 0
        rows, columns = np.nonzero(kernel)
        extent = np.hypot(np.ptp(rows), np.ptp(columns))
        assert extent <= length + 2
