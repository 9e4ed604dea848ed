"""``trigger train-scorer``: its examples, its report, and a training on few of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from skimage import data

from export.network import load_network
from pipelines.data.splits import is_held_out
from pipelines.enhancers.classical.enhancer import ClassicalEnhancer
from pipelines.models.record import read_record
from pipelines.opinions import FLAWLESS
from pipelines.opinions.tid2013 import LEVEL_PSNR, TYPES
from pipelines.training.batches import PhotoBatches
from pipelines.training.networks import build_nima, save_network
from pipelines.training.scorer import train
from pipelines.training.scorer.build_examples import build_examples, plan_examples
from pipelines.training.scorer.example_table import grade
from pipelines.training.scorer.examples import Examples
from pipelines.training.scorer.judge import FullReferenceJudge
from pipelines.training.scorer.report import ClearCases, ExampleCounts, Restoration, make_report
from pipelines.training.scorer.scenes import DISTORTIONS
from pipelines.training.scorer.train import score_both_ways
from trigger.cli.app import main
from trigger.errors import DataError


def save_photo(path: Path, level: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), (level, 0, 0)).save(path)
    return path


def rate(tid: Path, opinion: float) -> None:
    rows = [f"1,{kind.number},{level},{opinion}" for kind in TYPES for level in LEVEL_PSNR]
    (tid / "mos.csv").write_text("\n".join(["kodak,type,level,mos_0_9", *rows]))


def test_examples_are_named_by_all_that_they_depend_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tid, clean = tmp_path / "tid", tmp_path / "clean"
    save_photo(tid / "kodak01.png", 1)
    rate(tid, 4.0)
    one, other = save_photo(clean / "a" / "1.png", 2), save_photo(clean / "b" / "1.png", 3)

    def names(seed: int = 0) -> set[str]:
        return set(plan_examples(None, tid, [clean], seed))

    first = names()
    assert len(first) == 5
    one.rename(clean / "moved.png")
    assert names() == first
    assert len(names(seed=1) & first) == 1  # TID2013 has noise of its own
    rate(tid, 4.5)
    assert len(names() & first) == 4
    rate(tid, 4.0)
    save_photo(other, 4)
    assert len(names() & first) == 3
    monkeypatch.setattr(ClassicalEnhancer, "version", "next")
    assert {name.partition("-")[0] for name in names() & first} == {"tid", "distorted"}


def test_clean_photos_show_distortions_that_the_judge_can_grade(tmp_path: Path) -> None:
    tid = tmp_path / "tid"
    save_photo(tid / "kodak01.png", 1)
    rate(tid, 4.0)
    photo = tmp_path / "clean" / "photo.png"
    photo.parent.mkdir()
    Image.fromarray(data.coffee()).save(photo)
    jobs = plan_examples(None, tid, [photo], seed=0)
    (name,) = (name for name in jobs if name.startswith("distorted-"))
    examples = jobs[name]()
    assert examples.kinds[0] == "distorted/original"
    assert examples.distortion[0].max() < 1e-3
    assert (examples.distortion[1:].max(axis=1) > 0.01).all()
    strengths = [int(kind.split("-")[1].split("/")[0]) for kind in examples.kinds[1:]]
    types = {strength // 10 for strength in strengths}
    assert types <= {kind.number for kind in TYPES}
    assert len(set(strengths)) == len(strengths) > len(types) >= DISTORTIONS - 1


def test_broken_photos_are_named_and_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tid, clean, out = tmp_path / "tid", tmp_path / "clean", tmp_path / "examples"
    save_photo(tid / "kodak01.png", 1)
    rate(tid, 4.0)
    whole = save_photo(clean / "whole.png", 2)
    (clean / "cut.png").write_bytes(whole.read_bytes()[:-200])
    (clean / "empty.png").touch()
    files = build_examples(None, tid, [clean], out, seed=0)
    assert [file.name.partition("-")[0] for file in files] == ["clean", "distorted", "tid"]
    said = caplog.text
    assert f"{clean}/empty.png: is empty" in said
    assert f"skipped {clean}/cut.png: " in said


def test_without_tid_nothing_is_built(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train-scorer", "--live", "x", "--out", str(tmp_path)]) == 2
    assert "--tid" in capsys.readouterr().err
    rate(tmp_path, 4.0)
    with pytest.raises(DataError, match=r"kodak01.png, which is missing"):
        plan_examples(None, tmp_path, [], 0)


def test_processing_is_compared_with_photos_of_the_same_strength() -> None:
    # Wrong only in how it ranks mild against strong, and over-sharpened above untouched.
    truth = {
        "whole/original": (9, 9),
        "whole/original/oversharp": (6, 9.5),
        "whole/noise-0/degraded": (5, 3),
        "whole/noise-0/restored": (7.5, 4),
        "whole/noise-1/degraded": (2, 6),
        "whole/noise-1/restored": (4, 8),
    }
    scores = np.array(list(truth.values()), np.float32)
    count = len(truth)
    report = make_report(
        {},
        ExampleCounts(1, 1),
        np.repeat("scene", count),
        np.array(list(truth)),
        np.ones(count, bool),
        scores[:, 0],
        scores[:, 1],
    )
    assert report.processing_held_out == {
        "noise": ClearCases(2, 1.0),
        "original": ClearCases(1, 0.0),
    }
    assert report.strength_held_out["noise"] == ClearCases(1, 0.0)


def test_agreement_is_told_of_both_sides_and_of_restoration_held_out() -> None:
    # Ranked as people do in training, the other way round where held out.
    truth = [5, 4, 3, 5, 4, 3, 4, 6, 4, 6]
    ours = [5, 4, 3, 3, 4, 5, 5, 5.5, 5, 5.5]
    rated = [f"tid-1-{level}" for level in (1, 2, 3)] * 2
    made = [f"whole/{kind}-0/{v}" for kind in ("noise", "blur") for v in ("degraded", "restored")]
    held_out = [False] * 3 + [True] * 5 + [False] * 2
    report = make_report(
        {},
        ExampleCounts(1, 1),
        np.repeat("scene", 10),
        np.array(rated + made),
        np.array(held_out),
        np.array(truth, np.float32),
        np.array(ours, np.float32),
    )
    people = report.by_people()
    assert people["tid2013", "train"].spearman == pytest.approx(1)
    assert people["tid2013", "held_out"].spearman == pytest.approx(-1)
    assert report.restoration_held_out == {
        "noise": Restoration(1, 0.5, 2, spearman=None, clear_n=1, clear_sign_agreement=1)
    }


def test_what_the_judge_grades_loses_its_share_of_what_the_original_has() -> None:
    class Halving(FullReferenceJudge):
        def score(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            return np.array([FLAWLESS, (1 + FLAWLESS) / 2], np.float32)

    scores = np.array([5, np.nan, np.nan], np.float32)
    graded = grade(scores, np.zeros((3, 18), np.float32), Halving())
    assert graded.tolist() == pytest.approx([5, 5, 3])


def test_scores_are_the_mean_of_a_photo_and_its_mirror_image() -> None:
    corner = keras.layers.Lambda(lambda photos: keras.ops.cast(photos[:, 0, :1, 0], "float32"))
    model = keras.Sequential([keras.Input((2, 2, 3), dtype="uint8"), corner])
    photos = np.zeros((1, 2, 2, 3), np.uint8)
    photos[0, 0, :, 0] = 4, 8
    assert score_both_ways(model, photos, np.array([0])).tolist() == [6]


def example_files(folder: Path, fold: int) -> list[Path]:
    """Examples of a scene to train on and of one that is held out."""
    rng = np.random.default_rng(0)
    files = []
    for held_out in (False, True):
        scene = next(name for name in map(str, range(99)) if is_held_out(name, fold) == held_out)
        examples = Examples(
            scene,
            rng.integers(0, 256, (4, 448, 448, 3), np.uint8)
            // np.array([1, 2, 4, 8], np.uint8)[:, None, None, None],
            np.array([f"tid-1-{level}" for level in range(1, 5)]),
            np.linspace(2, 8, 4, dtype=np.float32) + held_out,
            np.ones(4, np.float32),
            rng.random((4, 18)).astype(np.float32),
        )
        files.append(folder / f"tid-{scene}.npz")
        examples.save(files[-1])
    return files


def test_a_training_on_few_examples_ends_with_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[float] = []

    def fit(
        _: keras.Model, batches: PhotoBatches, *, finish: Callable[[], None], **__: object
    ) -> None:
        shown.extend(float(score) for n in range(len(batches)) for score in batches[n][1][:, 0])
        finish()

    monkeypatch.setattr(train, "build_examples", lambda *_, **__: example_files(tmp_path, fold=3))
    monkeypatch.setattr(train.loop, "fit", fit)
    options = ["--tid", "x", "--out", str(tmp_path), "--architecture", "alexnet-rank"]
    assert main(["train-scorer", *options, "--fold", "3"]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert sorted(shown) == [2, 4, 6, 8]  # held out are 3, 5, 7 and 9
    assert (report["tid2013_train"]["n"], report["tid2013_held_out"]["n"]) == (4, 4)
    assert (tmp_path / "alexnet-rank.keras").is_file()


def test_a_scorer_goes_on_from_one_that_held_out_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train, "build_examples", lambda *_, **__: example_files(tmp_path, fold=3))

    def fit(model: keras.Model, *_: object, finish: Callable[[], None], **__: object) -> None:
        model.set_weights([1.1 * weights for weights in model.get_weights()])
        finish()

    monkeypatch.setattr(train.loop, "fit", fit)
    begun = build_nima()
    start, out = tmp_path / "start.keras", tmp_path / "out"
    save_network(begun, start, {"fold": "3"})
    options = ["train-scorer", "--tid", "x", "--out", str(out), "--init", str(start)]
    assert main(options) == 2  # --fold 0 is what it was trained on
    assert "has seen scenes of fold 0; give --fold 3" in capsys.readouterr().err
    assert main([*options, "--fold", "3"]) == 0
    trained = load_network(out / "nima.keras")
    assert trained.input_shape == begun.input_shape  # whole photos, though it saw parts of them
    for ours, theirs in zip(trained.get_weights(), begun.get_weights(), strict=True):
        np.testing.assert_allclose(ours, 1.1 * theirs, rtol=1e-5)
    assert read_record(out / "nima.keras") == {"fold": "3"}
