"""The restorer refines classical repairs, and leaves photos alone that they leave alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from skimage.data import astronaut, chelsea, coffee, grass, gravel
from skimage.metrics import peak_signal_noise_ratio

from export.tflite import convert_enhancer
from pipelines.data.pixels import to_float, to_pixels
from pipelines.degradation.model import Factors, degrade
from pipelines.enhancers import enhance_pixels, load_enhancer
from pipelines.enhancers.learned import restorer
from pipelines.enhancers.learned.restorer import Restorer, first_repair
from pipelines.evaluation.fidelity import similarity
from pipelines.training.enhancers.networks import build_restorer, repair
from trigger.errors import ModelError

PHOTOS = [astronaut()[:256, 128:384], coffee()[100:356, 150:406], chelsea()[20:276, 100:356]]


def degraded(photo: npt.NDArray[np.uint8], factors: Factors) -> npt.NDArray[np.uint8]:
    return degrade(to_float(photo), factors, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("factors", "least"),
    [
        (Factors(read_noise=10 / 255), 0.2),
        (Factors(read_noise=25 / 255), 0.5),
        (Factors(read_noise=25 / 255, jpeg_quality=90), 1.0),
        (Factors(jpeg_quality=10), 0.3),
        (Factors("gaussian", 1.5), 0.1),
    ],
)
def test_the_packaged_network_repairs_more_than_the_classical_steps(
    factors: Factors, least: float
) -> None:
    more = []
    for photo in PHOTOS:
        faulty = degraded(photo, factors)
        classical, ours = (
            peak_signal_noise_ratio(photo, enhance_pixels(load_enhancer(name), faulty))
            for name in ("classical", "restorer")
        )
        more.append(ours - classical)
    assert np.mean(more) > least


def test_photos_without_faults_stay_as_they_are() -> None:
    photo = to_float(PHOTOS[0])
    assert load_enhancer("restorer").enhance(photo) is photo


@pytest.mark.parametrize("name", ["restorer", "deblocker"])
def test_gray_photos_stay_gray(name: str) -> None:
    gray = np.repeat(PHOTOS[0].mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    faulty = degraded(gray, Factors(jpeg_quality=10))
    repaired = enhance_pixels(load_enhancer(name), faulty)
    assert (repaired != faulty).any()
    assert np.ptp(repaired, axis=2).max() == 0


def test_texture_of_phone_photos_is_kept_and_overexposure_left_alone() -> None:
    for texture in (grass, gravel):
        photo = np.full((400, 256, 3), [115, 150, 200], np.uint8)  # sky above the ground
        photo[144:] = texture()[:256, :256, None]
        saved = degraded(photo, Factors(jpeg_quality=85))
        repaired = enhance_pixels(load_enhancer("restorer"), saved)
        assert repaired[144:].std() > 0.97 * saved[144:].std()
        assert similarity(saved, repaired) > 0.98
    exposed = degraded(PHOTOS[1], Factors(exposure=1.8, spill=0.3))
    repaired = enhance_pixels(load_enhancer("restorer"), exposed)
    assert repaired.mean() == pytest.approx(exposed.mean(), rel=0.02)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Restorer, object]:
    """A network that changes photos, but nothing to be proud of."""
    model = build_restorer()
    rng = np.random.default_rng(0)
    for part in ("gain", "back", "shift"):
        layer = model.get_layer(part)
        kernel, *rest = layer.get_weights()
        layer.set_weights([0.03 * rng.standard_normal(kernel.shape, np.float32), *rest])
    file = tmp_path_factory.mktemp("models") / "restorer.tflite"
    file.write_bytes(convert_enhancer(model))
    return Restorer(file), model


def test_windows_and_files_do_not_change_what_comes_out(
    network: tuple[Restorer, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    enhancer, model = network
    photo = degraded(coffee()[:251, :333], Factors(read_noise=15 / 255))
    # What follows the network has tests of its own.
    monkeypatch.setattr(restorer, "keep_detail", lambda photo, repaired: repaired)
    whole = enhance_pixels(enhancer, photo)
    first = to_pixels(first_repair(to_float(photo)))
    assert np.abs(whole.astype(int) - first).mean() > 1
    expected = repair(model, to_float(np.concatenate([first, photo], axis=2)))
    assert np.abs(to_pixels(expected).astype(int) - whole).max() <= 2  # weights in half precision
    monkeypatch.setattr(restorer, "TILE", (160, 176))
    assert np.abs(enhance_pixels(enhancer, photo).astype(int) - whole).max() <= 1


def test_a_network_that_is_not_there_says_how_to_build_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restorer, "MODELS", tmp_path)
    with pytest.raises(ModelError, match=r"packaged rebuild restorer DATA"):
        Restorer()
