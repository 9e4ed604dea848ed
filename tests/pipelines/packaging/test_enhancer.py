"""Repair networks are packaged only where they beat what they would replace."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pipelines.data.json_records import from_builtins, to_builtins, to_json
from pipelines.enhancers import load_enhancer
from pipelines.enhancers.classical.enhancer import ClassicalEnhancer
from pipelines.enhancers.learned import deblocker, restorer
from pipelines.packaging import deblocker as rebuild_deblocker
from pipelines.packaging import enhancer as rebuilding
from pipelines.packaging import restorer as rebuild_restorer
from pipelines.packaging.enhancer import Gain, Gains
from pipelines.training.enhancers.recipes import RECIPES
from pipelines.training.enhancers.report import EnhancerReport, PhotoCounts, Stage
from pipelines.training.options import EnhancerNetwork
from trigger.errors import ModelError, TriggerError
from trigger.packaged import read_packaged

REPORT = EnhancerReport(
    network="deblocker",
    quality=None,
    parameters=9,
    multiply_adds_per_pixel=8.0,
    photos=PhotoCounts(5, 3),
    patches=7000,
    patch_side=96,
    stages=[Stage(7000, "all", 500, 0.001, "float32")],
    repaired_by=None,
    held_out_gain_db=1.0,
)
REPAIRED_BY = {"deblocker": None, "restorer": restorer.first_repair_version()}
MODULES = {"deblocker": rebuild_deblocker, "restorer": rebuild_restorer}
RIVALS = {"deblocker": "deblock", "restorer": "classical repairs"}


@pytest.fixture
def data(
    photographs: Mapping[str, npt.NDArray[np.uint8]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Photos, trainings that learn nothing, and an empty package."""
    (tmp_path / "clean").mkdir()
    for name, photo in photographs.items():
        for top in (0, 96):
            Image.fromarray(photo[top:][:96, :128]).save(tmp_path / "clean" / f"{name}{top}.png")

    def train(network: EnhancerNetwork, _: object, out: Path, *__: object, **___: object) -> None:
        out.mkdir(parents=True)
        RECIPES[network].build().save_weights(out / f"{network}.weights.h5")
        report = replace(REPORT, network=network, repaired_by=REPAIRED_BY[network])
        (out / "report.json").write_bytes(to_json(report))

    monkeypatch.setattr(rebuilding.training, "train_enhancer", train)
    monkeypatch.setattr(rebuilding, "MODELS", tmp_path / "package")
    (tmp_path / "package").mkdir()
    return tmp_path


def gaining(gains: Mapping[str, Gain]) -> Callable[..., Gains]:
    """A comparison that finds these gains, by enhancer."""
    return lambda _, enhancer, __, **___: {"some case": gains[enhancer.name]}


def test_a_network_that_learned_nothing_is_not_packaged(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = {name: rebuild_deblocker.CASES[name] for name in ("q10", "q10 cropped")}
    monkeypatch.setattr(rebuild_deblocker, "CASES", cases)
    with pytest.raises(TriggerError, match="does not beat deblock at q10, q10 cropped"):
        rebuild_deblocker.rebuild(data, data / "build")
    assert not list((data / "package").iterdir())


def test_a_network_for_one_quality_is_not_packaged(data: Path) -> None:
    folder = data / "build" / "deblocker"
    folder.mkdir(parents=True)
    (folder / "report.json").write_bytes(to_json(replace(REPORT, quality=10)))
    with pytest.raises(TriggerError, match="quality 10 alone"):
        rebuild_deblocker.rebuild(data, data / "build")


@pytest.mark.parametrize("name", MODULES)
def test_a_network_that_wins_is_packaged_with_what_was_measured(
    name: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    won, lost = Gain(1.25, 0.0125), Gain(0.5, 0.005)
    monkeypatch.setattr(rebuilding, "compare", gaining({name: won, RIVALS[name]: lost}))
    MODULES[name].rebuild(data, data / "build")
    packaged = read_packaged(data / "package", name, "")
    modules = {"deblocker": deblocker, "restorer": restorer}
    monkeypatch.setattr(modules[name], "MODELS", data / "package")
    assert load_enhancer(name).version.endswith(packaged.version)
    assert packaged.facts["quality"][name]["some case"] == to_builtins(won)
    assert len(packaged.data) < 8e6
    card = (data / "package" / f"{name}.md").read_text()
    assert "| some case | +1.25 dB, +0.0125 | +0.50 dB, +0.0050 |" in card
    assert "7,000 patches" in card


@pytest.mark.parametrize("name", MODULES)
def test_cards_and_records_of_packaged_networks_agree(name: str) -> None:
    file = rebuilding.MODELS / f"{name}.json"
    record = json.loads(file.read_text())
    report = from_builtins(EnhancerReport, record["training"], file)
    quality = {
        enhancer: from_builtins(Gains, gains, file) for enhancer, gains in record["quality"].items()
    }
    assert MODULES[name].card(report, quality) == file.with_suffix(".md").read_text()
    assert to_builtins(report) == record["training"]
    assert to_builtins(quality) == record["quality"]


def test_colors_alone_do_not_win(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gains = {
        "deblocker": Gain(0.8, 0.007),
        "deblock": Gain(0.6, 0.024),
    }
    monkeypatch.setattr(rebuilding, "compare", gaining(gains))
    with pytest.raises(TriggerError, match="does not beat deblock at some case"):
        rebuild_deblocker.rebuild(data, data / "build")


def test_a_network_belongs_to_what_came_before_it(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = data / "build" / "restorer"
    folder.mkdir(parents=True)
    (folder / "report.json").write_bytes(
        to_json(replace(REPORT, network="restorer", repaired_by="1-other"))
    )
    with pytest.raises(TriggerError, match="the output of repairs 1-other"):
        rebuild_restorer.rebuild(data, data / "build")
    monkeypatch.setattr(ClassicalEnhancer, "version", "next")
    with pytest.raises(ModelError, match=r"these are repairs next-.*rebuild restorer"):
        restorer.Restorer()


@pytest.mark.parametrize("name", rebuild_restorer.CASES)
def test_faults_depend_on_the_photo_alone(name: str, coffee: npt.NDArray[np.uint8]) -> None:
    case, photo = rebuild_restorer.CASES[name], coffee[:64, :64]
    first, again = (case(photo, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first[1], again[1])
    np.testing.assert_array_equal(first[0], again[0])
    assert (first[1] != first[0]).any() == (name != "none")
    if name != "mixed":  # mixtures may be overexposed, and stay so in the target
        np.testing.assert_array_equal(first[0], photo)
