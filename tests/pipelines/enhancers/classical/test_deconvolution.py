"""Deblurring by deconvolution: it gains at blur and motion, and keeps the rest."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.data import astronaut, chelsea, coffee
from skimage.metrics import peak_signal_noise_ratio as psnr

from pipelines.data.pixels import to_float
from pipelines.degradation.model import Factors, degrade, kernel_of
from pipelines.enhancers import enhance_pixels, load_enhancer
from pipelines.enhancers.classical import deconvolution
from pipelines.enhancers.classical.blur import estimate_blur, refine_direction
from pipelines.enhancers.classical.deconvolution import deconvolve, within_reach

PHOTOS = [astronaut()[:256, 128:384], coffee()[100:356, 150:406], chelsea()[20:276, 100:356]]
ENHANCER = load_enhancer("deblur")
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("factors", "least_gain"),
    [
        (Factors("gaussian", 1), 2.0),
        (Factors("gaussian", 2), 0.8),
        (Factors("motion", 9, 30), 2.0),
        (Factors("motion", 9, 30, read_noise=3 / 255), 0.8),
        # Alone against a fault that is not its own.
        (Factors(read_noise=10 / 255), -0.5),
        (Factors(jpeg_quality=30), -0.7),
    ],
)
def test_blur_gains_decibels_and_other_faults_lose_few(factors: Factors, least_gain: float) -> None:
    gains = []
    for photo in PHOTOS:
        degraded = degrade(to_float(photo), factors, np.random.default_rng(0))
        gains.append(psnr(photo, enhance_pixels(ENHANCER, degraded)) - psnr(photo, degraded))
    assert np.mean(gains) > least_gain


def test_sharp_photos_stay_as_they_are() -> None:
    photo = to_float(PHOTOS[0])
    assert ENHANCER.enhance(photo) is photo


@given(angle=st.floats(0, 180))
def test_the_direction_of_motion_is_found(angle: float) -> None:
    blurred = to_float(degrade(to_float(coffee()), Factors("motion", 11, angle), RNG))
    direction, along = refine_direction(blurred, estimate_blur(blurred)[2])
    # Counted downwards from the horizontal, where Factors counts upwards; modulo half a turn.
    assert abs((np.rad2deg(direction) + angle + 90) % 180 - 90) < 12
    assert 2 < along < 4.5


def test_a_known_blur_is_undone_where_there_is_no_noise() -> None:
    photo, kernel = to_float(PHOTOS[0]), kernel_of(Factors("motion", 9, 70))
    blurred = cv2.filter2D(photo, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    restored = deconvolve(blurred, kernel, 1e-3).clip(0, 1)
    inside = (slice(32, -32), slice(32, -32))  # what lies beyond the border was blurred in too
    assert psnr(photo[inside], restored[inside]) > psnr(photo[inside], blurred[inside]) + 4


def test_no_halo_leaves_the_neighborhood_far() -> None:
    step = np.full((32, 32, 3), 0.3, np.float32)
    step[:, 16:] = 0.7
    ringing = step + np.float32(0.3) * np.sign(step - 0.5)
    kept = within_reach(step, ringing, 3)
    assert kept.min() > 0.3 - 0.041
    assert kept.max() < 0.7 + 0.041
    assert (kept[:, :14] == step[:, :14]).all()


@pytest.mark.parametrize(
    ("factors", "most"), [(Factors("gaussian", 2), 2), (Factors("motion", 13, 0), 3)]
)
def test_windows_leave_no_seams(
    factors: Factors, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = degrade(to_float(astronaut()), factors, np.random.default_rng(0))
    whole = enhance_pixels(ENHANCER, photo).astype(int)
    monkeypatch.setattr(deconvolution, "TILE", (400, 360))
    change = np.abs(enhance_pixels(ENHANCER, photo) - whole)
    # Beside the photo's own borders, what lies opposite shines through the Fourier transform.
    assert change[100:-100, 100:-100].max() <= most
