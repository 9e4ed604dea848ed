"""``trigger evaluate`` chooses thresholds and measures how certain its figures are."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pipelines.data.splits import is_held_out
from pipelines.evaluation.rated import at_target, resampled_at_threshold
from pipelines.evaluation.thresholds import MEASURES, Measure, Target
from trigger.cli.app import main
from trigger.errors import DataError
from trigger.photo import photo_hash

Captured = pytest.CaptureFixture[str]
RNG = np.random.default_rng(0)
SCENES = np.array([f"scene {i // 4}" for i in range(400)])
IMPROVABLE = RNG.random(400) < 0.4
SCORES = IMPROVABLE + RNG.normal(scale=0.5, size=400)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_target_is_reached_and_crossing_folds_comes_close(measure: Measure) -> None:
    target = Target(measure, 0.3 if measure == "alert_rate" else 0.8)
    report = at_target(IMPROVABLE, SCORES, SCENES, target)
    low, high = getattr(report, f"{measure}_interval")
    reached = getattr(report, measure)
    assert low < reached < high
    assert getattr(report.cross_validated, measure) == pytest.approx(reached, abs=0.05)
    again = resampled_at_threshold(IMPROVABLE, SCORES, SCENES, report.threshold)
    assert {name: getattr(report, name) for name in vars(again)} == vars(again)


def test_more_photos_of_the_same_scenes_are_no_more_certain() -> None:
    once = resampled_at_threshold(IMPROVABLE, SCORES, SCENES, 0.4)
    improvable, scores, scenes = (np.tile(part, 2) for part in (IMPROVABLE, SCORES, SCENES))
    twice = resampled_at_threshold(improvable, scores, scenes, 0.4)
    assert twice.precision_interval == once.precision_interval


def test_a_score_at_the_threshold_is_an_alert() -> None:
    improvable, scores = np.array([True, False]), np.array([0.4, 0.39])
    report = resampled_at_threshold(improvable, scores, np.array(["a", "b"]), 0.4)
    assert (report.precision, report.recall, report.alert_rate) == (1, 1, 0.5)


def test_one_scene_gives_no_intervals() -> None:
    report = resampled_at_threshold(IMPROVABLE, SCORES, np.full(400, "scene"), 0.4)
    assert report.precision is not None
    assert report.precision > 0.5
    assert report.precision_interval is None


def test_a_target_out_of_reach_says_how_far_one_comes() -> None:
    prevalence = f"the best precision on 400 photos is {IMPROVABLE.mean():.3f}"
    with pytest.raises(DataError, match=f"precision of at least 0.9: {prevalence}"):
        at_target(IMPROVABLE, np.zeros(400), SCENES, Target("precision", 0.9))


def test_scenes_of_any_name_hold_out_no_photo_that_labels_may_hold(
    tmp_path: Path, capsys: Captured
) -> None:
    names = iter(f"kitchen {number}" for number in range(99))
    lines = ["path,scene,rating"]
    for level in range(40):
        photo = tmp_path / f"{level}.png"
        Image.new("RGB", (8, 8), (level, 0, 0)).save(photo)
        if not is_held_out(photo_hash(photo.read_bytes())):
            lines.append(f"{photo.name},{next(filter(is_held_out, names))},{level % 3}")
            if len(lines) > 4:
                break
    ratings = tmp_path / "ratings.csv"
    ratings.write_text("\n".join(lines))
    assert main(["evaluate", str(ratings), "--held-out"]) == 1
    assert "none of its scenes is held out" in capsys.readouterr().err


def test_a_folder_that_no_table_can_name_is_said(tmp_path: Path, capsys: Captured) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/r\xff"))
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "photo.png")
    (folder / "ratings.csv").write_text("path,rating\nphoto.png,1\n")
    assert main(["evaluate", str(folder / "ratings.csv")]) == 1
    assert "is not UTF-8, near" in capsys.readouterr().err


def test_the_command_prints_both_thresholds(
    photographs: Mapping[str, npt.NDArray[np.uint8]], tmp_path: Path, capsys: Captured
) -> None:
    lines = ["path,rating"]
    for name, gain in (("coffee", 1), ("chelsea", 2), ("rocket", 2)):
        photo = Image.fromarray(photographs[name])
        photo.save(tmp_path / f"{name}.png")
        small = photo.resize((photo.width // 8, photo.height // 8))
        large = (photo.width * 2, photo.height * 2)  # large enough for tiles
        small.resize(large).save(tmp_path / f"{name}-blurred.png")
        lines += [f"{name}.png,0", f"{name}-blurred.png,{gain}"]
    ratings = tmp_path / "ratings.csv"
    ratings.write_text("\n".join(lines))
    assert main(["evaluate", str(ratings), "--target-recall", "1"]) == 0
    said = capsys.readouterr()
    assert "6 scenes: with fewer than 20, figures are rough" in said.err
    report = json.loads(said.out)
    assert report["prevalence"] == 0.5
    assert report["at_threshold"]["threshold"] == 0.4
    assert report["at_target"]["target"] == "recall of at least 1"
    assert report["at_target"]["recall"] == 1
    assert report["at_target"]["precision"] == 1
    assert main(["evaluate", str(ratings), "--target-recall", "1", "--views", "tiles"]) == 0
    tiled = json.loads(capsys.readouterr().out)
    assert tiled["at_target"]["threshold"] != report["at_target"]["threshold"]
    assert main(["evaluate", str(ratings), "--target-alert-rate", "0.01"]) == 1
    said = capsys.readouterr()
    assert "alert rate on 6 photos is 0.167" in said.err
    assert json.loads(said.out)["scores"] == report["scores"]
    changed = f"path,rating,photo\ncoffee.png,0,{'a' * 64}\n"
    (tmp_path / "changed.csv").write_text(changed)
    assert main(["evaluate", str(tmp_path / "changed.csv")]) == 1
    assert "1 of 1 photos cannot be used, first" in capsys.readouterr().err
    (tmp_path / "coffee.png").write_bytes(b"Dear diary")
    assert main(["evaluate", str(ratings)]) == 1
    assert "coffee.png: is not a photo" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--target-recall", "0.5", "--target-precision", "0.5"], "give one of them"),
        (["--target-alert-rate", "20"], "--target-alert-rate is 20.0; it is a share"),
        (["--threshold", "nan"], "not a finite number"),
    ],
)
def test_wrong_options_are_explained(
    tmp_path: Path, capsys: Captured, options: list[str], words: str
) -> None:
    assert main(["evaluate", str(tmp_path / "ratings.csv"), *options]) == 2
    assert words in capsys.readouterr().err
