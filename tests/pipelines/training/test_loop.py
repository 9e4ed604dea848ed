"""Training that was killed ends where undisturbed training does."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from pipelines.training.batches import PhotoBatches
from pipelines.training.loop import FINGERPRINT, fit
from trigger.errors import OptionError

RNG = np.random.default_rng(0)
PHOTOS = RNG.integers(0, 256, (32, 8, 8, 3), np.uint8)
TARGETS = PHOTOS[:, :, :4].mean(axis=(1, 2, 3), dtype=np.float32)[:, None] / 255  # not symmetric


class KilledBatches(PhotoBatches):
    """Kills its process when it is asked for one batch more than said."""

    def __init__(self, *args: Any, calls: int) -> None:
        super().__init__(*args)
        self.calls = calls

    def __getitem__(self, batch: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        self.calls -= 1
        if self.calls < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(batch)


OTHER: dict[str, dict[str, Any]] = {
    "epochs": {"epochs": 5},
    "learning rate": {"learning_rate": 1e-3},
    "batch size": {"batch_size": 4},
    "seed": {"seed": 1},
    "examples": {"targets": TARGETS[::-1]},
    "starting weights": {"weights": 2},
}


def train(
    out: Path,
    kind: type[PhotoBatches] = PhotoBatches,
    *,
    weights: int = 1,
    targets: np.ndarray = TARGETS,
    seed: int = 0,
    batch_size: int = 8,
    learning_rate: float = 1e-2,
    epochs: int = 4,
    finish: Callable[[], object] = lambda: None,
    **options: Any,
) -> list[np.ndarray]:
    out.mkdir(exist_ok=True)
    keras.utils.set_random_seed(weights)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(1),
        ]
    )
    batches = kind(PHOTOS, np.arange(32), targets, batch_size, seed, **options)
    fit(
        model,
        batches,
        loss="mse",
        metrics=[],
        learning_rate=learning_rate,
        epochs=epochs,
        out=out,
        finish=finish,
    )
    return model.get_weights()


@pytest.mark.parametrize("calls", [6, 11])
def test_a_training_that_was_killed_ends_with_the_same_weights(tmp_path: Path, calls: int) -> None:
    calm = train(tmp_path / "calm")
    killed = (tmp_path / "out", KilledBatches)
    process = get_context("spawn").Process(target=train, args=killed, kwargs={"calls": calls})
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    for name, other in OTHER.items():
        with pytest.raises(OptionError, match=rf"other {name};.*another --out or delete"):
            train(tmp_path / "out", **other)
    for ours, theirs in zip(train(tmp_path / "out"), calm, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert len((tmp_path / "out" / "log.csv").read_text().splitlines()) == 1 + 4


# Keras leaves its log open where a training fails.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_disk_that_fills_up_costs_one_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = train(tmp_path / "calm")
    save, saved = keras.Model.save_weights, []

    def save_half(model: keras.Model, path: Path) -> None:
        save(model, path)
        saved.append(path)
        if len(saved) == 3:
            path.write_bytes(path.read_bytes()[:1000])
            raise OSError("No space left on device")

    monkeypatch.setattr(keras.Model, "save_weights", save_half)
    with pytest.raises(OSError, match="No space left"):
        train(tmp_path / "full")
    for ours, theirs in zip(train(tmp_path / "full"), calm, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert len(saved) == 3 + 2
    log = (tmp_path / "full" / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in log] == ["epoch", "0", "1", "2", "3"]


def test_weights_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    def fail() -> None:
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        train(tmp_path, finish=fail)
    file, record = (tmp_path / "checkpoint" / name for name in ("latest.weights.h5", FINGERPRINT))
    stored = record.read_bytes()
    record.write_bytes(b"")
    with pytest.raises(OptionError, match="another --out or delete"):
        train(tmp_path)
    record.write_bytes(stored)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(OptionError, match=r"latest.*unreadable.*start over, delete"):
        train(tmp_path)


def test_what_could_not_be_saved_is_not_trained_again(tmp_path: Path) -> None:
    calm = train(tmp_path / "calm")

    def fail() -> None:
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        train(tmp_path / "full", finish=fail)
    for ours, theirs in zip(train(tmp_path / "full"), calm, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert len((tmp_path / "full" / "log.csv").read_text().splitlines()) == 1 + 4  # not 1 + 8


def test_a_finished_training_is_not_mixed_with_the_next(tmp_path: Path) -> None:
    train(tmp_path)
    train(tmp_path, epochs=2, seed=1)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 1 + 2
    assert len(list((tmp_path / "tensorboard" / "train").iterdir())) == 1


def test_neighbors_of_a_group_stay_together_and_every_row_comes_once() -> None:
    groups = np.repeat(np.arange(8), 4)
    rows = np.arange(32)
    batches = PhotoBatches(PHOTOS, rows, rows.astype(np.float32), 8, 0, groups)
    batches.start_epoch(3)
    order = np.concatenate([batches[n][1] for n in range(len(batches))]).astype(int)
    assert sorted(order) == list(rows)
    assert (np.diff(groups[order]) != 0).sum() == 7


def test_some_rows_come_in_every_epoch_and_a_share_of_the_others() -> None:
    rows = np.arange(32)
    always_shown = rows < 8
    batches = PhotoBatches(PHOTOS, rows, rows.astype(np.float32), 8, 0, None, always_shown, 0.5)
    seen = []
    for epoch in range(8):
        batches.start_epoch(epoch)
        order = np.concatenate([batches[n][1] for n in range(len(batches))]).astype(int)
        assert set(range(8)) <= set(order)
        assert len(set(order)) == len(order) == 8 + 12
        seen.append(order)
        assert set(order[-5:]) - set(range(8)), "the others do not all come first"
    assert set(np.concatenate(seen)) == set(rows)


def test_photos_are_shown_as_they_are_or_mirrored_left_to_right() -> None:
    rows = np.arange(32)
    shown, numbers = PhotoBatches(PHOTOS, rows, rows.astype(np.float32), 32, 0)[0]
    photos = PHOTOS[numbers.astype(int)]
    kept = (shown == photos).all(axis=(1, 2, 3))
    mirrored = (shown == photos[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (kept ^ mirrored).all()
    assert 8 < mirrored.sum() < 24


def test_parts_are_of_one_place_for_a_group_and_of_others_in_the_next_epoch() -> None:
    places = np.arange(64 * 64, dtype=np.uint16).reshape(1, 64, 64, 1)
    photos = np.repeat(np.concatenate([places % 256, places // 256, 0 * places], -1), 8, 0)
    rows = np.arange(8)
    batches = PhotoBatches(
        photos.astype(np.uint8), rows, rows.astype(np.float32), 8, 0, rows // 4, side=48
    )
    seen = []
    for epoch in range(4):
        batches.start_epoch(epoch)
        shown, numbers = batches[0]
        assert shown.shape == (8, 48, 48, 3)
        corners = np.minimum(shown[:, 0, 0], shown[:, 0, -1]).astype(int)[np.argsort(numbers)]
        assert (corners[:4] == corners[0]).all()
        assert (corners[4:] == corners[4]).all()
        seen += [tuple(corners[0]), tuple(corners[4])]
    assert len(set(seen)) > 4
