"""The deblocker finds the grid of a photo, wherever it begins, and leaves no seams."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from skimage.metrics import peak_signal_noise_ratio

from export.tflite import convert_enhancer
from pipelines.data.pixels import to_float, to_pixels
from pipelines.degradation.model import Factors, degrade
from pipelines.enhancers import enhance_pixels, load_enhancer
from pipelines.enhancers.classical.grid import find_grid
from pipelines.enhancers.learned import deblocker
from pipelines.enhancers.learned.deblocker import Deblocker
from pipelines.training.enhancers.networks import build_deblocker, repair
from trigger.errors import ModelError

Pixels = npt.NDArray[np.uint8]


def compressed(photo: Pixels, quality: int) -> Pixels:
    factors = Factors(jpeg_quality=quality)
    return degrade(to_float(photo), factors, np.random.default_rng(0))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Deblocker, object]:
    """A network that changes photos, but nothing to be proud of."""
    model = build_deblocker()
    rng = np.random.default_rng(0)
    for layer in model.layers:
        weights = layer.get_weights()
        if weights and not weights[0].any():  # what starts as the identity
            noise = rng.standard_normal(weights[0].shape, np.float32)
            layer.set_weights([0.04 * noise, *weights[1:]])
    file = tmp_path_factory.mktemp("models") / "deblocker.tflite"
    file.write_bytes(convert_enhancer(model))
    return Deblocker(file), model


@pytest.mark.parametrize("corner", [(0, 0), (3, 5), (7, 1)])
@pytest.mark.parametrize("quality", [10, 50])
def test_the_grid_is_found_where_it_is(
    coffee: Pixels, corner: tuple[int, int], quality: int
) -> None:
    top, left = corner
    found = find_grid(to_float(compressed(coffee, quality)[top:, left:]))
    assert found == (-top % 8, -left % 8)


def test_no_grid_is_found_where_there_is_none(coffee: Pixels) -> None:
    noise = np.random.default_rng(0).random((200, 300, 3), np.float32)
    bars = np.zeros((128, 128, 3), np.float32)
    bars[:, 50:] = 1
    tiny = to_float(compressed(coffee, 10)[:15, :15])
    for photo in (noise, bars, np.zeros_like(noise), tiny):
        assert find_grid(photo) is None


def test_photos_without_a_grid_stay_as_they_are(network: tuple[Deblocker, object]) -> None:
    noise = np.random.default_rng(0).random((64, 64, 3), np.float32)
    assert network[0].enhance(noise) is noise


def test_windows_and_files_do_not_change_what_comes_out(
    network: tuple[Deblocker, object], coffee: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    enhancer, model = network
    photo = compressed(coffee, 10)[:251, :333]
    whole = enhance_pixels(enhancer, photo)
    assert np.abs(whole.astype(int) - photo).mean() > 1
    expected = to_pixels(repair(model, to_float(photo)))
    assert np.abs(expected.astype(int) - whole).max() <= 2  # weights in half precision
    monkeypatch.setattr(deblocker, "TILE", (160, 176))
    assert np.abs(enhance_pixels(enhancer, photo).astype(int) - whole).max() <= 1


def test_cropping_does_not_change_what_comes_out(
    network: tuple[Deblocker, object], coffee: Pixels
) -> None:
    photo = compressed(coffee, 10)[:256, :320]
    whole = enhance_pixels(network[0], photo).astype(int)
    cropped = enhance_pixels(network[0], photo[3:, 5:]).astype(int)
    inside = slice(72, -72)
    assert np.abs(cropped - whole[3:, 5:])[inside, inside].max() <= 1


@pytest.mark.parametrize("quality", [10, 40])
def test_the_packaged_network_repairs_more_than_shrinkage(coffee: Pixels, quality: int) -> None:
    photo = compressed(coffee, quality)[3:, 5:]
    gains = [
        peak_signal_noise_ratio(coffee[3:, 5:], enhance_pixels(load_enhancer(name), photo))
        for name in ("deblock", "deblocker")
    ]
    assert gains[1] > gains[0] + 0.3


def test_a_network_that_is_not_there_says_how_to_build_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deblocker, "MODELS", tmp_path)
    with pytest.raises(ModelError, match=r"packaged rebuild deblocker DATA"):
        Deblocker()
