"""The classical enhancer repairs what it claims to and leaves clean photos alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from skimage.data import astronaut, chelsea, coffee
from skimage.metrics import peak_signal_noise_ratio as psnr

from pipelines.data.pixels import to_float
from pipelines.degradation.model import Factors, degrade
from pipelines.enhancers import enhance_pixels, load_enhancer
from pipelines.enhancers.classical import shrinkage
from pipelines.enhancers.classical.blur import estimate_blur
from pipelines.enhancers.classical.enhancer import repair
from pipelines.enhancers.classical.shrinkage import deblock, denoise, shrink
from trigger.errors import EnhancerError, OptionError

Photo = npt.NDArray[np.float32]
PHOTOS = [astronaut()[:256, 128:384], coffee()[100:356, 150:406], chelsea()[20:276, 100:356]]
ENHANCER = load_enhancer("classical")


@pytest.mark.parametrize(
    ("factors", "least_gain"),
    [
        (Factors(read_noise=10 / 255), 2.0),
        (Factors(read_noise=25 / 255), 4.0),
        (Factors(jpeg_quality=10), 0.3),
        (Factors("gaussian", 1.5), 0.3),
        (Factors("motion", 5, 30), 0.2),
    ],
)
def test_repairs_gain_decibels(factors: Factors, least_gain: float) -> None:
    gains = []
    for photo in PHOTOS:
        degraded = degrade(photo.astype(np.float32) / 255, factors, np.random.default_rng(0))
        gains.append(psnr(photo, enhance_pixels(ENHANCER, degraded)) - psnr(photo, degraded))
    assert np.mean(gains) > least_gain


@pytest.mark.parametrize(("sigma", "least_gain"), [(10, 6.5), (25, 8.5)])
def test_noise_is_taken_away_by_decibels(sigma: float, least_gain: float) -> None:
    gains = []
    for photo in PHOTOS:
        noise = Factors(read_noise=sigma / 255)
        noisy = to_float(degrade(to_float(photo), noise, np.random.default_rng(0)))
        gains.append(psnr(to_float(photo), denoise(noisy)) - psnr(to_float(photo), noisy))
    assert np.mean(gains) > least_gain


@pytest.mark.parametrize("side", [15, 16])
def test_faint_noise_and_tiny_photos_stay(side: int) -> None:
    def noisy(sigma: float) -> Photo:
        noise = np.random.default_rng(0).normal(0, sigma / 255, (side, side, 3))
        return (0.5 + noise).astype(np.float32)

    for sigma, is_seen in ((2, False), (5, side == 16)):
        photo = noisy(sigma)
        assert (denoise(photo) is not photo) == is_seen


def test_dark_places_stay_as_dark_as_they_are() -> None:
    dark = np.full((40, 40, 3), 0.002, np.float32)
    np.testing.assert_allclose(shrink(dark, 0.1), dark, atol=1e-6)


def test_after_one_repair_no_other_is_done_for_what_it_has_left() -> None:
    blocked = to_float(
        degrade(to_float(PHOTOS[0]), Factors(jpeg_quality=10), np.random.default_rng(0))
    )
    deblocked = deblock(blocked)
    assert 0.5 < estimate_blur(deblocked)[0] < 0.9  # its smoothing, which is no blur
    np.testing.assert_array_equal(repair(blocked, deblock), deblocked)
    noisy = to_float(
        degrade(to_float(PHOTOS[0]), Factors(read_noise=25 / 255), np.random.default_rng(0))
    )
    np.testing.assert_array_equal(repair(noisy, lambda photo: photo * 1), noisy)
    np.testing.assert_array_equal(repair(noisy, lambda photo: photo), denoise(noisy))


def test_clean_photos_stay_as_they_are() -> None:
    for photo in PHOTOS[:2]:  # the third is a little soft, and sharpening it is right
        assert (enhance_pixels(ENHANCER, photo) == photo).all()


@pytest.mark.parametrize("factors", [Factors(read_noise=20 / 255), Factors(jpeg_quality=10)])
def test_windows_do_not_change_what_comes_out(
    factors: Factors, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = degrade(PHOTOS[0].astype(np.float32) / 255, factors, np.random.default_rng(0))
    whole = enhance_pixels(ENHANCER, photo)
    assert (whole != photo).any()
    monkeypatch.setattr(shrinkage, "TILE", (136, 104))
    assert (enhance_pixels(ENHANCER, photo) == whole).all()


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (16, 16), (33, 47)])
def test_any_size_is_enhanced(shape: tuple[int, int]) -> None:
    noisy = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert enhance_pixels(ENHANCER, noisy).shape == noisy.shape


class Broken:
    name, version, tile_multiple = "broken", "1", 1

    def __init__(self, output: np.ndarray) -> None:
        self.output = output

    def enhance(self, photo: np.ndarray) -> np.ndarray:
        return self.output


@pytest.mark.parametrize("output", [np.zeros((4, 4, 3)), np.full((8, 8, 3), np.nan)])
def test_what_is_not_a_photo_is_an_error(output: np.ndarray) -> None:
    with pytest.raises(EnhancerError, match="broken"):
        enhance_pixels(Broken(output), np.zeros((8, 8, 3), np.uint8))


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(OptionError, match="classical"):
        load_enhancer("magic")
