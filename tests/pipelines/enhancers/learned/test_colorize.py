"""Gray photos are found, and get the colors that a network says; lightness stays."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio as psnr

from pipelines.data.pixels import to_float, to_pixels
from pipelines.data.splits import is_held_out
from pipelines.enhancers import load_enhancer
from pipelines.enhancers.learned.chroma import chroma_square, colored, is_gray, lightness_square
from pipelines.training.enhancers.colorize_network import (
    REBALANCING,
    TEMPERATURE,
    ColorBins,
    assemble,
    bin_loss,
)
from pipelines.training.enhancers.colorize_views import ViewBatches, make_views, split_photos
from trigger.errors import DataError
from trigger.photo import photo_hash

Pixels = npt.NDArray[np.uint8]
Photo = npt.NDArray[np.float32]


def lab(photo: Photo) -> Photo:
    return cv2.cvtColor(photo, cv2.COLOR_RGB2LAB)


def without_colors(photo: Photo) -> Photo:
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


def test_faint_colors_and_sepia_are_colors(coffee: Pixels) -> None:
    gray = without_colors(to_float(coffee))
    assert is_gray(gray)
    for photo in (to_float(coffee), gray * np.array([1, 0.95, 0.85], np.float32)):
        assert not is_gray(photo)
    stray = np.full((100, 100, 3), 0.5, np.float32)
    for count, is_few in ((10, True), (11, False)):
        stray[0, :count, 0] += 10 / 255
        assert is_gray(stray) == is_few
    accent = gray.copy()
    accent[100:120, 100:140] *= np.array([1, 0.2, 0.2], np.float32)
    assert not is_gray(accent)


@pytest.mark.parametrize("shape", [(400, 600), (1, 1), (3, 700), (700, 3)])
def test_colors_come_back_from_the_small_square(coffee: Pixels, shape: tuple[int, int]) -> None:
    photo = to_float(cv2.resize(coffee, shape[::-1], interpolation=cv2.INTER_AREA))
    gray = without_colors(photo)
    again = colored(gray, chroma_square(photo))
    assert again.shape == photo.shape
    if shape == (400, 600):
        assert psnr(photo, again) > psnr(photo, gray) + 15
        assert np.abs(lab(again) - lab(gray))[..., 0].mean() < 0.5
    assert lightness_square(gray).shape == (256, 256, 1)


@given(st.lists(st.tuples(st.floats(-80, 80), st.floats(-80, 80)), min_size=1, max_size=20))
def test_the_mean_of_the_bins_of_a_color_is_the_color(colors: list[tuple[float, float]]) -> None:
    chroma = np.array(colors, np.float32)
    bins = ColorBins(chroma)
    shares = bins.targets(chroma)
    shares /= shares.sum(-1, keepdims=True)
    # Bins with hardly any share are left out.
    assert np.abs(shares @ bins.centers - chroma).max() < 0.1


def test_rare_colors_weigh_more_and_the_right_answer_costs_least() -> None:
    chroma = np.zeros((100, 2), np.float32)
    chroma[:5] = 64
    bins = ColorBins(chroma)
    targets = bins.targets(chroma)
    rare, common = targets[0], targets[-1]
    assert rare.sum() > 1.5 * common.sum()
    assert targets.sum(-1).mean() == pytest.approx(1, abs=0.01)
    right, wrong = 4 * targets, 4 * targets[::-1]
    losses = [keras.ops.convert_to_numpy(bin_loss(targets, s)).mean() for s in (right, wrong)]
    assert losses[0] < losses[1]


def test_the_answer_takes_back_a_part_of_what_rare_colors_weigh() -> None:
    chroma = np.zeros((100, 2), np.float32)
    chroma[:5] = 64
    bins = ColorBins(chroma)
    lightness = keras.Input((256, 256, 1), dtype="uint8")
    pooled = keras.layers.AveragePooling2D(4)(keras.layers.Rescaling(1.0)(lightness))
    trunk = keras.Model(lightness, [pooled])
    seen = keras.Input((64, 64, 1))
    undecided = keras.layers.Conv2D(2, 1, kernel_initializer="zeros")
    network = assemble(trunk, keras.Model([seen], undecided(seen)), bins)
    answer = np.asarray(network(np.zeros((1, 256, 256, 1), np.uint8)))
    rare = bins.centers[:, 0].argmax()
    odds = (bins.weights[rare] / bins.weights[1 - rare]) ** (-REBALANCING / TEMPERATURE)
    assert odds < 0.5
    np.testing.assert_allclose(answer[0, 0, 0], 64 * odds / (1 + odds), rtol=1e-4)


def test_views_are_those_of_color_photos_and_made_once(
    photographs: Mapping[str, Pixels], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, photo in photographs.items():
        Image.fromarray(photo[:200, :200]).save(photos / f"{name}.png")
    learned, held_out = split_photos([photos])
    assert len(learned) + len(held_out) == 8
    for path in (*learned, *held_out):
        assert (path in held_out) == is_held_out(photo_hash(path.read_bytes()))

    Image.fromarray(photographs["coffee"]).convert("L").save(photos / "gray.png")
    (photos / "broken.jpg").write_bytes(b"broken")
    paths = [photos / name for name in ("gray.png", "broken.jpg", "coffee.png", "china.png")]
    lightness = keras.Input((256, 256, 1), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 255)(lightness)
    trunk = keras.Model(lightness, [keras.layers.AveragePooling2D(n)(scaled) for n in (4, 8)])
    views = make_views(paths, 3, trunk, tmp_path / "views")
    assert (views.photos, len(views.chroma)) == (2, 6)
    shown = to_float(photographs["coffee"][:200, :200])
    np.testing.assert_allclose(views.chroma[0], chroma_square(shown), atol=0.1)
    whole = lightness_square(shown)[..., 0].reshape(64, 4, 64, 4).mean((1, 3)) / 255
    np.testing.assert_allclose(views.features[0][0, ..., 0], whole, atol=1e-3)
    assert np.abs(views.features[0][0] - views.features[0][1]).mean() > 0.01  # a crop

    batches = ViewBatches(views, ColorBins(views.chroma.astype(np.float32)), 4, seed=0)
    seen = [batches[number][0][0] for number in range(len(batches))]
    assert [len(batch) for batch in seen] == [4, 2]
    assert len(np.unique(np.concatenate(seen).reshape(6, -1), axis=0)) == 6

    other = make_views(paths[:3], 2, trunk, tmp_path / "views")
    assert (other.photos, len(other.chroma)) == (1, 2)
    with pytest.raises(DataError, match="none of 2 photos has colors"):
        make_views(paths[:2], 2, trunk, tmp_path / "none")
    monkeypatch.setattr("pipelines.training.enhancers.colorize_views._squares", None)
    assert len(make_views(paths[:3], 2, trunk, tmp_path / "views").chroma) == 2


def test_a_photo_without_faults_in_eight_bits_stays_gray(coffee: Pixels) -> None:
    gray = without_colors(to_float(coffee))
    nothing = np.zeros((64, 64, 2), np.float32)
    assert np.abs(to_pixels(colored(gray, nothing)).astype(int) - to_pixels(gray)).max() <= 1


def test_gray_photos_get_colors_and_others_are_left_alone(coffee: Pixels) -> None:
    enhancer = load_enhancer("colorize")
    photo = to_float(coffee)
    assert enhancer.enhance(photo) is photo
    gray = without_colors(photo)
    shown = enhancer.enhance(gray)
    assert not is_gray(shown)
    assert np.abs(lab(shown) - lab(gray))[..., 0].mean() < 1
    assert (enhancer.enhance(gray) == shown).all()


def test_one_small_spot_of_color_in_a_large_photo_is_kept() -> None:
    photo = np.full((1500, 2000, 3), 0.5, np.float32)
    assert is_gray(photo)
    photo[700:720, 900:920] = (0.9, 0.1, 0.1)
    assert not is_gray(photo)
