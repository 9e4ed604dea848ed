"""The deblocker is packaged only where it beats what needs no weights."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pipelines.enhancers import deblocker, rebuild_deblocker
from pipelines.enhancers.deblocker import Deblocker
from pipelines.enhancers.networks import build_deblocker
from pipelines.packaged import read_packaged
from trigger.errors import TriggerError

REPORT = {
    **{"network": "deblocker", "parameters": 9, "multiply_adds_per_pixel": 8.0, "patches": 7000},
    **{"patch_side": 96, "photos": {"train": 5, "held_out": 3}, "quality": None},
}


@pytest.fixture
def data(
    photographs: Mapping[str, npt.NDArray[np.uint8]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Photos, a training that learns nothing, and an empty package."""
    (tmp_path / "clean").mkdir()
    for name, photo in photographs.items():
        for top in (0, 96):
            Image.fromarray(photo[top:][:96, :128]).save(tmp_path / "clean" / f"{name}{top}.png")

    def train(args: argparse.Namespace) -> None:
        args.out.mkdir(parents=True)
        build_deblocker().save_weights(args.out / "deblocker.weights.h5")
        (args.out / "report.json").write_text(json.dumps(REPORT))

    monkeypatch.setattr(rebuild_deblocker.training, "train", train)
    monkeypatch.setattr(rebuild_deblocker, "QUALITIES", (10,))
    for module in (rebuild_deblocker, deblocker):
        monkeypatch.setattr(module, "MODELS", tmp_path / "package")
    (tmp_path / "package").mkdir()
    return tmp_path


def test_a_network_that_learned_nothing_is_not_packaged(data: Path) -> None:
    with pytest.raises(TriggerError, match="does not beat deblock at q10, q10 cropped"):
        rebuild_deblocker.rebuild(data, data / "build")
    assert not list((data / "package").iterdir())


def test_a_network_for_one_quality_is_not_packaged(data: Path) -> None:
    folder = data / "build" / "deblocker"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(REPORT | {"quality": 10}))
    with pytest.raises(TriggerError, match="quality 10 alone"):
        rebuild_deblocker.rebuild(data, data / "build")


def test_a_network_that_wins_is_packaged_with_what_was_measured(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gains = {"deblocker": 1.25, "deblock": 0.5}
    monkeypatch.setattr(
        rebuild_deblocker,
        "compare",
        lambda _, enhancer: {
            "q10": dict.fromkeys(("psnr_gain", "ssim_gain"), gains[enhancer.name])
        },
    )
    rebuild_deblocker.rebuild(data, data / "build")
    record, content = read_packaged(data / "package", "deblocker", "")
    assert Deblocker().version == record["version"]
    assert record["quality"]["deblocker"]["q10"]["psnr_gain"] == 1.25
    assert len(content) < 8e6
    card = (data / "package" / "deblocker.md").read_text()
    assert "| q10 | +1.25 dB, +1.2500 | +0.50 dB, +0.5000 |" in card
    assert "7,000 patches" in card


def test_colours_alone_do_not_win(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gains = {
        "deblocker": {"psnr_gain": 0.8, "ssim_gain": 0.007},
        "deblock": {"psnr_gain": 0.6, "ssim_gain": 0.024},
    }
    monkeypatch.setattr(rebuild_deblocker, "compare", lambda _, e: {"q10": gains[e.name]})
    with pytest.raises(TriggerError, match="does not beat deblock at q10"):
        rebuild_deblocker.rebuild(data, data / "build")
