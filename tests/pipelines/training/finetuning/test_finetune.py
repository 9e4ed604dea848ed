"""``trigger finetune`` from ratings to report, on photographs made noisy."""

from __future__ import annotations

import csv
import html
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from label_helpers import label, use_models, write_photos
from matplotlib.figure import Figure
from PIL import Image

from export.network import load_network
from pipelines.data.available import report_missing
from pipelines.data.lock import exclusive
from pipelines.data.preprocessed import preprocess_photos
from pipelines.data.splits import is_held_out
from pipelines.data.storage import Folder
from pipelines.evaluation import metrics
from pipelines.evaluation.records import AveragePrecision, Comparison
from pipelines.figures import png_of
from pipelines.models.record import MADE_WITH, read_record, write_record
from pipelines.training import baseline as train
from pipelines.training.batches import PhotoBatches
from pipelines.training.finetuning import features as trunk_features
from pipelines.training.finetuning import page as finetune_page
from pipelines.training.finetuning.finetune import check_enhancers
from pipelines.training.networks import build_trigger, cut_trunk, warm_start
from trigger.cli.app import main
from trigger.errors import DataError, ModelError
from trigger.photo import photo_hash

Photographs = Mapping[str, npt.NDArray[np.uint8]]
SIGMAS = {0: 0, 4: 0, 25: 1, 50: 2}
"""Ratings that people would give a denoised photo, by the noise in it."""
RECORD = dict(zip(MADE_WITH, ("denoise", "3", "nima", "2"), strict=True))


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "RESAMPLES", 50)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, photographs: Photographs) -> Path:
    """``baseline.keras`` with an ignorant head, photos, ``ratings.csv`` by two raters."""
    folder = tmp_path_factory.mktemp("finetune")
    keras.utils.set_random_seed(0)
    model = build_trigger()
    warm_start(model, "packaged")
    model.layers[-1].set_weights([np.random.default_rng(0).normal(size=(112, 1)), np.zeros(1)])
    model.save(folder / "baseline.keras")
    write_record(folder / "baseline.keras", RECORD)
    rng = np.random.default_rng(0)
    rows = []
    for number, pixels in enumerate(photographs.values()):
        # Scenes by name, so that the split is known: two of eight are held out.
        wanted = number < 2
        scene = next(s for i in range(99) if is_held_out(s := f"{number} {i}") == wanted)
        for sigma, rating in SIGMAS.items():
            small = np.asarray(Image.fromarray(pixels).resize((160, 120)), np.float64)
            noisy = np.clip(small + rng.normal(scale=sigma or 1e-9, size=small.shape), 0, 255)
            name = f"{number}-{sigma}.png"
            Image.fromarray(noisy.astype(np.uint8)).save(folder / name)
            rows += [(name, scene, "denoise-3", "Ann", rating)]
            rows += [(name, scene, "denoise-3", "Ben", rating)] if sigma else []
    write_rows(folder / "ratings.csv", rows)
    return folder


def write_rows(path: Path, rows: list[tuple[Any, ...]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "scene", "enhancer", "rater", "rating"))
        writer.writerows(rows)


def read_rows(path: Path) -> list[tuple[Any, ...]]:
    with path.open(newline="") as file:
        return [tuple(row.values()) for row in csv.DictReader(file)]


def finetune(made: Path, out: Path, *options: str, ratings: str = "ratings.csv") -> int:
    arguments = ["finetune", str(made / "baseline.keras"), str(made / ratings), "--out", str(out)]
    return main([*arguments, *options])


@pytest.fixture(scope="module")
def finished(made: Path) -> SimpleNamespace:
    out = made / "finetuned"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "RESAMPLES", 50)
        assert finetune(made, out, "--target-recall", "0.9") == 0
    report = json.loads((out / "report.json").read_text())
    return SimpleNamespace(out=out, report=report, page=(out / "report.html").read_text())


def test_scenes_of_ones_own_may_hide_what_the_model_has_seen(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune(made, tmp_path) == 0
    photos = made.glob("[01]-*.png")
    known = sum(not is_held_out(photo_hash(path.read_bytes())) for path in photos)
    assert f"so {known} of 8 held-out photos may be among those" in capsys.readouterr().err


def test_a_head_is_fitted_and_the_rest_of_the_network_stays(
    made: Path, finished: SimpleNamespace
) -> None:
    before = load_network(made / "baseline.keras").get_weights()
    after = load_network(finished.out / "finetuned.keras").get_weights()
    same = [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert same == [True] * (len(same) - 2) + [False] * 2
    assert read_record(finished.out / "finetuned.keras") == RECORD
    report = finished.report
    assert report["trainable_parameters"] == 113
    assert report["photos"] == {"train": 24, "held_out": 8}
    assert report["opinions"] == 56
    assert report["enhancers"] == {"denoise-3": 32}
    assert report["cross_validated"]["scores"]["fine-tuned"]["gain"] > 0
    assert set(report["by_rater"]) == {"Ann", "Ben"}
    assert report["by_rater"]["Ben"]["cross_validated"]["n"] == 24
    assert [point["ratings"] for point in report["learning_curve"]] == [24]
    assert report["threshold"]["target"] == "recall of at least 0.9"
    chosen = report["threshold"]["value"]
    assert report["at_threshold_held_out"]["threshold"] == chosen
    assert "NaN" not in (finished.out / "report.json").read_text()


def test_ratings_of_held_out_photos_do_not_touch_the_head(
    made: Path, finished: SimpleNamespace, tmp_path: Path
) -> None:
    shutil.copy(finished.out / "features.npz", tmp_path)
    rows = read_rows(made / "ratings.csv")
    lies = [(*row[:4], 2 - int(row[4])) if row[0][0] in "01" else row for row in rows]
    write_rows(made / "lies.csv", lies)
    assert finetune(made, tmp_path, "--target-recall", "0.9", ratings="lies.csv") == 0
    ours, theirs = (
        load_network(out / "finetuned.keras").get_weights() for out in (tmp_path, finished.out)
    )
    assert all(map(np.array_equal, ours, theirs))
    threshold = json.loads((tmp_path / "report.json").read_text())["threshold"]["value"]
    assert threshold == finished.report["threshold"]["value"]


def test_figures_at_the_threshold_are_those_of_the_predictions(finished: SimpleNamespace) -> None:
    table, report = pd.read_csv(finished.out / "predictions.csv"), finished.report
    improvable = (table["rating"] >= 1).to_numpy()
    alerts = (table["fine-tuned"] >= report["threshold"]["value"]).to_numpy()
    held_out = table["held_out"].to_numpy()
    figures = report["at_threshold_held_out"]
    expected = asdict(metrics.alert_figures(improvable[held_out], alerts[held_out]))
    assert {name: figures[name] for name in expected} == pytest.approx(expected)
    assert report["threshold"]["cross_validated"] == pytest.approx(
        asdict(metrics.alert_figures(improvable, table["alert"].to_numpy()))
    )


def test_a_photo_counts_by_its_weight(
    made: Path, finished: SimpleNamespace, tmp_path: Path
) -> None:
    shutil.copy(finished.out / "features.npz", tmp_path)
    ratings, weighted = str(made / "ratings.csv"), made / "weighted.csv"
    assert main(["ratings", "aggregate", ratings, "--out", str(weighted)]) == 0
    table = pd.read_csv(weighted)
    table.assign(weight=np.where(table.index % 2, 1, 0.01)).to_csv(weighted, index=False)
    assert finetune(made, tmp_path, "--target-recall", "0.9", ratings="weighted.csv") == 0
    ours, theirs = (
        load_network(out / "finetuned.keras").get_weights()[-2] for out in (tmp_path, finished.out)
    )
    assert not np.allclose(ours, theirs, rtol=0.01)


def test_the_page_holds_all_it_shows(finished: SimpleNamespace) -> None:
    page = finished.page
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    assert "default-src 'none'" in html.unescape(page)
    assert page.count("data:image/png") == 6
    for heading in ("Before and after", "Would more ratings help?", "Worst mistakes"):
        assert f"<h2>{heading}</h2>" in page
    assert "recall of at least 0.9" in page
    assert "one per fold" in page  # the threshold in the cross-validation
    assert "denoise-3 (32)" in page


def test_the_page_shows_the_worst_mistake_of_each_scene() -> None:
    rows = [
        ("worst.png", "sea", 0.9, True, 0.0),
        ("also.png", "sea", 0.8, True, 0.0),
        ("lesser.png", "wood", 0.6, True, 0.9),
        ("least.png", "town", 0.1, False, 1.0),
        ("more.png", "hill", 0.3, False, 2.0),
        ("right.png", "lake", 0.7, True, 1.0),
        ("fine.png", "road", 0.2, False, -1.0),
    ]
    columns = ["path", "scene", "cross-validated", "alert", "rating"]
    rated = pd.DataFrame(rows, columns=columns).assign(opinions=1)
    false_alerts, missed = finetune_page._mistakes(rated.assign(photo=rated["path"]))
    assert (false_alerts.count, missed.count) == (3, 2)
    assert [photo.path for photo in false_alerts.worst] == ["worst.png", "lesser.png"]
    assert [photo.path for photo in missed.worst] == ["least.png", "more.png"]
    assert all("no such file" in photo.problem for photo in missed.worst)


def test_each_curve_is_of_the_photos_that_it_is_said_to_be_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[dict[str, list[float]]] = []

    def draw(
        improvable: npt.NDArray[np.bool_], scores: Mapping[str, npt.NDArray[Any]], _: object
    ) -> bytes:
        drawn.append({name: values.tolist() for name, values in scores.items()})
        assert all(len(values) == len(improvable) for values in scores.values())
        return png_of(Figure())

    monkeypatch.setattr(finetune_page, "draw_precision_recall", draw)
    columns = ["held_out", "rating", "baseline", "fine-tuned", "cross-validated"]
    rows = [(True, 1.0, 0.1, 0.4, 0.7), (False, 0.0, 0.2, 0.5, 0.8), (False, 2.0, 0.3, 0.6, 0.9)]
    figures = Comparison(3, 2, 0.5, {"baseline": AveragePrecision(0.5, (0.25, 0.75))})
    report: Any = SimpleNamespace(held_out=figures, cross_validated=figures)
    compared, curves = finetune_page._before_after(pd.DataFrame(rows, columns=columns), report)
    assert drawn == [
        {"baseline": [0.1], "fine-tuned": [0.4]},
        {"baseline": [0.1, 0.2, 0.3], "fine-tuned": [0.7, 0.8, 0.9]},
    ]
    assert [row[5] for row in compared] == ["0.500 (0.250 to 0.750)"] * 2
    assert len(curves) == 2


def test_one_photo_in_ten_may_be_missing(caplog: pytest.LogCaptureFixture) -> None:
    report_missing(Path("r.csv"), [("a.png", "is gone.")], 10, "Put it back")
    assert "skipped a.png: is gone." in caplog.text
    with pytest.raises(DataError, match=r"r.csv: 2 of 19 photos .* a.png: is gone. Put it back"):
        report_missing(Path("r.csv"), [("a.png", "is gone.")] * 2, 19, "Put it back")


def test_a_second_run_looks_at_no_photo_again_and_says_the_same(
    made: Path, finished: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trunk_features, "preprocess_photos", None)
    assert (
        main(["ratings", "aggregate", str(made / "ratings.csv"), "--out", str(made / "a.csv")]) == 0
    )
    assert finetune(made, finished.out, "--target-recall", "0.9", ratings="a.csv") == 0
    assert json.loads((finished.out / "report.json").read_text()) == finished.report


def test_features_are_those_of_the_photo_and_of_the_trunk(made: Path, tmp_path: Path) -> None:
    class Trunk:
        output_shape = (None, 1)

        def __init__(self, factor: float) -> None:
            self.factor, self.seen = factor, 0

        def get_weights(self) -> list[npt.NDArray[np.float32]]:
            return [np.array([self.factor], np.float32)]

        def predict(self, photos: npt.NDArray[np.uint8], **_: Any) -> npt.NDArray[np.float32]:
            self.seen += len(photos)
            return self.factor * photos.mean(axis=(1, 2, 3), dtype=np.float32)[:, None]

    def features(trunk: Trunk) -> list[float]:
        hashes = [photo_hash(Path(p).read_bytes()) if Path(p).exists() else "" for p in paths]
        found, rejected = trunk_features.trunk_features(
            trunk, paths, hashes, tmp_path / "cache.npz"
        )
        assert set(rejected) <= {str(tmp_path / "gone.png"), str(tmp_path / "broken.png")}
        return [round(float(value)) for value in found[:, 0]]

    paths = [str(tmp_path / f"{level}.png") for level in (10, 20, 10)]
    for path, level in zip(paths, (10, 20, 10), strict=True):
        Image.new("RGB", (32, 32), (level,) * 3).save(path)
    trunk = Trunk(1)
    assert (features(trunk), trunk.seen) == ([10, 20, 10], 2)
    Image.new("RGB", (32, 32), (30,) * 3).save(paths[1])
    assert (features(trunk), trunk.seen) == ([10, 30, 10], 3)
    paths += [str(tmp_path / "gone.png"), str(tmp_path / "broken.png")]
    (tmp_path / "broken.png").write_bytes(b"Dear diary")
    assert features(trunk) == [10, 30, 10, 0, 0]
    assert features(Trunk(2)) == [20, 60, 20, 0, 0]
    (tmp_path / "cache.npz").write_bytes(b"damaged")
    assert features(Trunk(2)) == [20, 60, 20, 0, 0]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".npz", ".png", ".png", ".png"]


@pytest.mark.parametrize("names", [["denoise-3", ""], ["denoise"], ["original"]])
def test_ratings_of_the_same_enhancer_are_accepted(names: list[str]) -> None:
    check_enhancers(Path("r.csv"), names, RECORD)


def test_ratings_of_another_enhancer_are_refused_unless_forced(
    made: Path,
    finished: SimpleNamespace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(DataError, match=r"2 of 'blur-1', 1 of 'denoise-4', but .* 'denoise-3'"):
        check_enhancers(Path("r.csv"), ["blur-1", "denoise-4", "blur-1", ""], RECORD)
    versioned = RECORD | {"enhancer": "real-sr", "enhancer_version": "1-0af3"}
    check_enhancers(Path("r.csv"), ["real-sr-1-0af3", "real-sr"], versioned)
    with pytest.raises(DataError, match=r"1 of 'real-sr-1'"):
        check_enhancers(Path("r.csv"), ["real-sr-1"], versioned)
    check_enhancers(Path("r.csv"), ["blur-1"], {})
    assert "does not record" in caplog.text
    other = (made / "ratings.csv").read_text().replace("denoise-3", "sharpen-1")
    (made / "other.csv").write_text(other)
    assert finetune(made, tmp_path / "out", ratings="other.csv") == 1
    assert "accept them with --force" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    shutil.copytree(finished.out, tmp_path / "out")
    assert finetune(made, tmp_path / "out", "--force", ratings="other.csv") == 0


def test_ratings_that_cannot_be_learned_from_say_why(
    made: Path,
    finished: SimpleNamespace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(finished.out / "features.npz", tmp_path)

    def refused(rows: list[tuple[Any, ...]], *options: str) -> str:
        write_rows(made / "wrong.csv", rows)
        assert finetune(made, tmp_path, *options, ratings="wrong.csv") == 1
        return capsys.readouterr().err

    rows = read_rows(made / "ratings.csv")
    gone = [(f"gone-{i}.png", "x", "", "Ann", 1) for i in range(len(rows))]
    assert "photos cannot be used, first" in refused([*rows, *gone])
    neutral = [(*row[:4], 0) for row in rows]
    assert "of 24 training photos 0 are improvable" in refused(neutral)
    changed = "photo,path,rating\n" + f"{'a' * 64},0-0.png,1\n"
    (made / "changed.csv").write_text(changed)
    assert finetune(made, tmp_path, ratings="changed.csv") == 1
    assert "0-0.png: the file has changed" in capsys.readouterr().err
    assert not (tmp_path / "finetuned.keras").exists()


def test_a_target_out_of_reach_costs_nothing_else(
    made: Path, finished: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(finished.out / "features.npz", tmp_path)
    assert finetune(made, tmp_path, "--target-alert-rate", "0.01") == 1
    said = capsys.readouterr().err
    assert "no threshold reaches alert rate of at most 0.01" in said
    assert "Everything else has been written, with the threshold 0.4" in said
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["threshold"]["target"] is None
    assert report["held_out"] == finished.report["held_out"]
    assert (tmp_path / "finetuned.keras").is_file()


def test_a_rated_photo_that_is_broken_is_named_and_left_out(
    made: Path, finished: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(finished.out / "features.npz", tmp_path)
    rows = read_rows(made / "ratings.csv")
    (made / "broken.png").write_bytes(b"Dear diary")
    broken = [(name, "x", "", "Ann", 1) for name in ("broken.png", "gone.png")]
    write_rows(made / "some.csv", [*rows, *broken])
    assert finetune(made, tmp_path, "--target-recall", "0.9", ratings="some.csv") == 0
    said = capsys.readouterr().err
    assert f"skipped {made}/broken.png: is not a photo" in said
    assert f"skipped {made}/gone.png: no such file" in said
    assert json.loads((tmp_path / "report.json").read_text()) == finished.report


def test_finetuning_into_the_folder_of_the_baseline_is_refused(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune(made, made) == 2
    assert "would overwrite its reports" in capsys.readouterr().err


def test_a_model_without_a_record_has_none(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "a.keras")
    assert read_record(tmp_path / "a.keras") == {}
    (tmp_path / "b.keras").write_text("no archive")
    with pytest.raises(ModelError, match=r"b\.keras"):
        read_record(tmp_path / "b.keras")


def label_three(photographs: Photographs, folder: Path) -> Path:
    """Label three photos into FOLDER/labels; returns where they lie."""
    photos = write_photos(folder / "photos", dict(list(photographs.items())[:3]))
    label(photos, folder / "labels")
    return photos


@pytest.fixture(scope="module", params=[False, True], ids=["end", "mean"])
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> SimpleNamespace:
    """A training on even greys that looks at one epoch of them and makes all weights larger."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "photos").mkdir()
    for level in range(10, 250, 12):
        Image.new("RGB", (64, 64), (level,) * 3).save(folder / "photos" / f"{level}.png")
    seen = SimpleNamespace(out=folder / "out", averaged=request.param)

    def fit(
        model: keras.Model, batches: PhotoBatches, *, finish: Callable[[], None], **_: object
    ) -> None:
        shown = [batches[number] for number in range(len(batches))]
        seen.photos, seen.targets = (np.concatenate(part) for part in zip(*shown, strict=True))
        trunk = cut_trunk(model)
        seen.start = trunk.get_weights()
        trunk.set_weights([1.1 * weights for weights in seen.start])
        finish()

    options = ["--average"] if request.param else []
    with pytest.MonkeyPatch.context() as patch:
        use_models(patch)
        label(folder / "photos", folder / "labels")
        patch.setattr(train.loop, "fit", fit)
        command = ["train", str(folder / "labels"), "--out", str(seen.out), "--batch-size", "2"]
        assert main([*command, *options]) == 0
    return seen


def test_training_notes_what_the_labels_were_made_with(trained: SimpleNamespace) -> None:
    record = read_record(trained.out / "baseline.keras")
    assert [record[part] for part in MADE_WITH] == ["brighten", "1", "brightness", "1"]


def test_the_trunk_is_saved_as_training_left_it_or_halfway_there(trained: SimpleNamespace) -> None:
    trunk = cut_trunk(load_network(trained.out / "baseline.keras"))
    factor = 1.05 if trained.averaged else 1.1
    for ours, start in zip(trunk.get_weights(), trained.start, strict=True):
        np.testing.assert_allclose(ours, factor * start, rtol=1e-5)


def test_training_sees_one_side_of_the_labels_and_reports_both(trained: SimpleNamespace) -> None:
    table = pd.read_csv(trained.out / "predictions.csv")
    report = json.loads((trained.out / "report.json").read_text())
    held_out = table["scene"].map(is_held_out)
    assert (table["held_out"] == held_out).all()
    sides = {"train": table[~held_out], "held_out": table[held_out]}
    for side, rows in sides.items():
        assert (report[side]["n"], report[side]["scenes"]) == (len(rows), rows["scene"].nunique())
    learned = np.sort(sides["train"]["delta"])
    np.testing.assert_allclose(np.sort(trained.targets[:, 0]), learned, rtol=1e-5)
    # The score of the models here is 5 for black and 10 for white.
    scores = 5 + trained.photos.mean(axis=(1, 2, 3)) / 51
    np.testing.assert_allclose(scores, trained.targets[:, 1], atol=1e-3)


@pytest.mark.parametrize("command", ["train", "finetune"])
def test_one_training_at_a_time_writes_to_a_folder(
    command: str,
    made: Path,
    photographs: Photographs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use_models(monkeypatch)
    inputs = [str(made / "baseline.keras"), str(made / "ratings.csv")]
    if command == "train":
        label_three(photographs, tmp_path)
        inputs = [str(tmp_path / "labels")]
    out = tmp_path / "out"
    out.mkdir()
    with exclusive(Folder(out)):
        assert main([command, *inputs, "--out", str(out)]) == 1
    assert "is in use by process" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == [".lock"]


def test_a_label_gone_stale_does_not_take_the_new_one_with_it(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    Image.new("RGB", (32, 32), (9, 9, 9)).save(photo)
    hashes = ["0" * 64, photo_hash(photo.read_bytes())]
    photos, rejected = preprocess_photos([str(photo)] * 2, hashes, tmp_path / "photos.npy", "")
    assert list(rejected) == [0]
    assert photos.max(axis=(1, 2, 3)).tolist() == [0, 9]


def test_photos_that_are_not_what_was_labelled_end_training(
    photographs: Photographs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use_models(monkeypatch)
    photos = label_three(photographs, tmp_path)
    changed, other, _ = sorted(photos.rglob("*.png"))
    shutil.copy(other, changed)
    assert main(["train", str(tmp_path / "labels"), "--out", str(tmp_path / "out")]) == 1
    message = capsys.readouterr().err
    assert f"1 of 3 photos cannot be used, first {changed}: the file has changed" in message
    assert "label them where they are now into another folder" in message
