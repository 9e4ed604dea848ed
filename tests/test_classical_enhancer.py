"""The classical enhancer repairs what it claims to and leaves clean photos alone."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.data import astronaut, chelsea, coffee
from skimage.metrics import peak_signal_noise_ratio as psnr

from pipelines.degradation import Factors, degrade
from pipelines.enhancers import enhance_pixels, load_enhancer, shrinkage
from trigger.errors import EnhancerError, OptionError

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
