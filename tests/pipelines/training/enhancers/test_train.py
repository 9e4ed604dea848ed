"""Networks that repair photos have the published sizes, and training them is repeatable."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pipelines.data.json_records import read_json
from pipelines.data.pixels import to_float, to_pixels
from pipelines.data.splits import is_held_out
from pipelines.degradation.model import KINDS, Factors
from pipelines.enhancers import load_enhancer
from pipelines.enhancers.learned.restorer import first_repair_version
from pipelines.training.enhancers import networks, recipes, train
from pipelines.training.enhancers.losses import gain
from pipelines.training.enhancers.networks import multiply_adds, repair
from pipelines.training.enhancers.patches import (
    DegradedCrops,
    PatchBatches,
    RepairedCrops,
    degraded_pair,
)
from pipelines.training.enhancers.report import EnhancerReport
from pipelines.training.options import EnhancerNetwork, EnhancerOptions
from trigger.cli.app import main
from trigger.errors import DataError, ModelError, OptionError
from trigger.photo import photo_hash

Photos = Mapping[str, npt.NDArray[np.uint8]]
JPEG = partial(recipes.jpeg_of, 10)


OPTIONS: dict[str, Any] = {
    **{"faults": "JPEG", "side": 32, "target_side": 32, "aligned": 1.0},
    **{"batch_size": 6, "steps": 3, "seed": 0},
}


def batches(photo: npt.NDArray[np.uint8], **changes: object) -> PatchBatches:
    return PatchBatches(DegradedCrops([photo], JPEG), **OPTIONS | changes)


@pytest.mark.parametrize(
    ("name", "parameters", "work"),
    [
        ("arcnn", 117_731, 117_616),
        ("fast-arcnn", 85_571, 21_344),
        ("deblocker", 1_365_632, 21_312),
        ("restorer", 628_032, 41_472),
    ],
)
def test_networks_have_the_published_size(
    name: EnhancerNetwork, parameters: int, work: int
) -> None:
    network = recipes.RECIPES[name].build()
    assert network.count_params() == parameters
    assert multiply_adds(network) == work


@pytest.mark.parametrize("build", [networks.build_deblocker, networks.build_restorer])
def test_our_networks_start_as_the_identity(build: Callable[[], keras.Model]) -> None:
    network = build()
    photo = np.random.default_rng(0).random((37, 50, network.input.shape[-1]), np.float32)
    np.testing.assert_array_equal(repair(network, photo), photo[..., :3])


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_mixed_precision_keeps_the_steps_of_a_photo(name: EnhancerNetwork) -> None:
    recipe = recipes.RECIPES[name]
    with train._computing_in("mixed_bfloat16"):
        network = recipe.build()
    shape = (1, recipe.side, recipe.side, network.input.shape[-1])
    photo = np.random.default_rng(0).random(shape, np.float32)
    repaired = np.asarray(network(photo))
    assert repaired.dtype == np.float32
    assert len(np.unique(repaired)) > repaired.size / 4
    assert keras.config.dtype_policy().name == "float32"


def test_all_of_a_photo_passes_blockcnn_block_by_block() -> None:
    network = networks.build_blockcnn()
    photo = np.random.default_rng(0).random((20, 30, 3), np.float32)
    repaired = repair(network, photo)
    assert repaired.shape == photo.shape
    around = np.pad(photo, [(8, 12), (8, 10), (0, 0)], mode="symmetric")[8:32, 16:40]
    block = np.asarray(network(around[None]))[0]
    np.testing.assert_allclose(repaired[8:16, 16:24], block, atol=1e-5)


def test_a_training_with_other_faults_is_another_training(coffee: npt.NDArray[np.uint8]) -> None:
    one, other = (batches(coffee, faults=f"JPEG quality {q}").fingerprint() for q in (10, 80))
    assert one != other


def test_patches_depend_on_seed_epoch_and_step_alone(coffee: npt.NDArray[np.uint8]) -> None:
    first = batches(coffee)
    again = batches(coffee)
    again[0], again[1]
    for one, other in zip(first[2], again[2], strict=True):
        np.testing.assert_array_equal(one, other)
    assert (first[1][0] != first[2][0]).any()
    again.start_epoch(1)
    assert (first[2][0] != again[2][0]).any()
    assert (first[2][0] != batches(coffee, seed=1)[2][0]).any()


def test_patches_lie_on_the_grid_as_asked(coffee: npt.NDArray[np.uint8]) -> None:
    def borders(aligned: float) -> np.ndarray:
        patches = batches(coffee, aligned=aligned, batch_size=64)[0][0]
        steps = np.abs(np.diff(patches, axis=1)).mean(axis=(0, 2, 3))
        return np.array([steps[phase::8].mean() for phase in range(8)])

    assert borders(1).argmax() == 7
    assert borders(1).max() > 1.5 * np.median(borders(1))
    assert borders(0).max() < 1.5 * np.median(borders(0))


def test_targets_are_the_middle_of_what_is_seen(coffee: npt.NDArray[np.uint8]) -> None:
    degraded, target = batches(coffee, side=24, target_side=8)[0]
    assert target.shape == (6, 8, 8, 6)
    np.testing.assert_array_equal(target[..., 3:], degraded[:, 8:16, 8:16])
    assert (target[..., :3] != target[..., 3:]).any()


def test_gain_is_what_psnr_gains() -> None:
    clean = np.full((1, 8, 8, 3), 0.5, np.float32)
    target = np.concatenate([clean, clean + 0.1], axis=-1)
    assert float(gain(target, clean + 0.01)[0]) == pytest.approx(20, abs=0.1)
    assert float(gain(target, clean - 0.2)[0]) == pytest.approx(-6.02, abs=0.01)


@pytest.fixture
def folder(photographs: Photos, tmp_path: Path) -> Path:
    """Small photos, of which some are held out, and something that is none."""
    sides = set()
    for name, photo in photographs.items():
        for number in range(3):
            path = tmp_path / "photos" / f"{name}{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(photo[64 * number :][:128, :160]).save(path)
            sides.add(is_held_out(photo_hash(path.read_bytes())))
    assert sides == {True, False}
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"broken")
    return tmp_path / "photos"


@pytest.mark.parametrize(
    ("quality", "options"),
    [(None, []), (10, ["--quality", "10", "--precision", "mixed_bfloat16"])],
    ids=["any quality", "quality 10, mixed precision"],
)
def test_a_training_logs_what_it_gains_and_saves_what_it_learned(
    quality: int | None,
    options: list[str],
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    options = ["--out", str(out), "--epochs", "2", "--steps", "10", "--batch-size", "4", *options]
    assert main(["train-enhancer", "deblocker", str(folder), *options]) == 0
    assert "broken.jpg" in capsys.readouterr().err
    report = json.loads((out / "report.json").read_text())
    assert (report["patches"], report["quality"]) == (80, quality)
    with (out / "log.csv").open() as log:
        gains = [float(row["val_gain"]) for row in csv.DictReader(log)]
    assert report["held_out_gain_db"] == pytest.approx(gains[-1], abs=1e-3)
    network = recipes.load_trained("deblocker", out / "deblocker.weights.h5")
    assert (np.asarray(network.get_layer("gain").kernel) != 0).any()
    with pytest.raises(ModelError, match="does not hold weights of arcnn"):
        recipes.load_trained("arcnn", out / "deblocker.weights.h5")


def test_a_training_goes_on_from_repaired_photos(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "REPAIRED_CROPS", 16)
    monkeypatch.setattr(train, "HELD_OUT_PATCHES", 8)
    one, two = tmp_path / "one", tmp_path / "two"
    short = EnhancerOptions(epochs=1, steps=2, batch_size=4)
    train.train_enhancer("restorer", [folder], one, short)
    options = replace(short, init=one / "restorer.weights.h5")
    with pytest.raises(OptionError, match="give another --out"):
        train.train_enhancer("restorer", [folder], one, options)
    report = train.train_enhancer("restorer", [folder], two, options)
    assert report == read_json(EnhancerReport, two / "report.json")
    assert isinstance(report.stages, list)
    assert [stage.patches for stage in report.stages] == [8, 8]
    assert (report.patches, report.repaired_by) == (16, first_repair_version())


def test_wrong_options_are_errors(folder: Path, tmp_path: Path) -> None:
    options: dict[EnhancerNetwork, int | None] = {"arcnn": None, "restorer": 10}
    for name, quality in options.items():
        with pytest.raises(OptionError, match=f"{name} .*--quality"):
            train.train_enhancer(name, [folder], tmp_path, EnhancerOptions(quality=quality))
    for text in ("0", "96", "ten"):
        command = ["train-enhancer", "arcnn", str(folder), "--out", str(tmp_path)]
        assert main([*command, "--quality", text]) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="give more photos"):
        train.read_photos([tmp_path / "empty"], 96)


def test_blind_networks_see_all_faults() -> None:
    rng = np.random.default_rng(0)
    qualities = [recipes.any_jpeg(rng).jpeg_quality or 0 for _ in range(500)]
    assert (min(qualities), max(qualities)) == pytest.approx(recipes.QUALITIES, abs=2)
    faults = [recipes.any_fault(rng) for _ in range(200)]
    assert Factors() in faults
    assert len({tuple(factors.to_json()) for factors in faults}) > len(KINDS)
    assert any(factors.exposure > 1 for factors in faults)


def blurred(photo: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A repair that finds nothing in dark photos."""
    return photo if photo.mean() < 0.3 else cv2.blur(photo, (3, 3))


def test_crops_are_repaired_once_and_those_without_faults_left_out(
    coffee: npt.NDArray[np.uint8],
) -> None:
    dark, light = coffee[:96, :96] // 8, 127 + coffee[:96, :96] // 2
    crops = RepairedCrops([dark, light], JPEG, blurred, count=12, seed=0)
    assert crops.fingerprint() == RepairedCrops([dark, light], JPEG, blurred, 12, 0).fingerprint()
    assert 0 < crops.fingerprint()[1] < 12
    for seed in range(5):
        target, repaired, degraded = np.split(crops(np.random.default_rng(seed)), 3, axis=2)
        assert target.mean() > 120
        expected = to_pixels(blurred(to_float(degraded)))
        assert np.abs(repaired.astype(int) - expected).max() <= 1
    seen, wanted = PatchBatches(crops, **OPTIONS)[0]
    assert seen.shape == (6, 32, 32, 6)
    np.testing.assert_array_equal(wanted[..., 3:], seen[..., :3])


def test_overexposure_is_nothing_to_learn(coffee: npt.NDArray[np.uint8]) -> None:
    rng = np.random.default_rng(0)
    factors = Factors(exposure=1.8, spill=0.3, read_noise=0.1)
    target, degraded = np.split(degraded_pair(coffee[:64, :64], factors, rng), 2, axis=2)
    assert target.mean() > 1.2 * coffee[:64, :64].mean()
    assert degraded.mean() == pytest.approx(target.mean(), rel=0.05)


def test_a_trained_network_is_an_enhancer(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    network = networks.build_fast_arcnn()
    weights, file = tmp_path / "some.weights.h5", tmp_path / "some.tflite"
    network.save_weights(weights)
    command = ["enhancers", "export", "fast-arcnn", str(weights), "--out", str(file)]
    assert main(command) == 0
    photo = np.random.default_rng(0).random((64, 128, 3), np.float32)
    enhanced = load_enhancer(str(file)).enhance(photo)
    np.testing.assert_allclose(enhanced, repair(network, photo), atol=2e-3)
