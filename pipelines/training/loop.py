"""One training loop for all networks: shuffled batches, cosine decay, checkpoints, logs."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from trigger.cli.options import positive_float, positive_number, random_seed
from trigger.errors import OptionError
from trigger.files import is_file, resolved, write_atomically

FINGERPRINT = "fingerprint.json"
WEIGHTS = "latest.weights.h5"
SIDE = 320
"""Scorer and trigger are trained on squares of this many pixels out of the 448, at random places,
and used on all. It costs half, and what is learned of few scenes holds better for others. Held-out
Spearman with people at equal cost, on rated photos alone: 0.77 instead of 0.73 (LIVE Challenge),
0.70 instead of 0.67 (TID2013); of predicted with measured delta after as many epochs, on a quarter
of the labels: 0.73 instead of 0.70. ``benchmarks/training.py`` compares other sizes."""


class Batches(keras.utils.PyDataset):
    """What a training goes through, epoch by epoch."""

    def start_epoch(self, epoch: int) -> None:
        """Prepare what this epoch shows; it depends on the epoch alone, so resuming works."""
        raise NotImplementedError

    def fingerprint(self) -> dict[str, object]:
        """What a training on these batches depends on, in words for messages; not the pixels."""
        raise NotImplementedError


class PhotoBatches(Batches):
    """Shuffled batches of preprocessed photos, half of them mirrored, cut at random if asked for.

    Both leave quality much as it is; rotations and scalings resample, colour changes degrade.
    """

    def __init__(
        self,
        photos: npt.NDArray[np.uint8],
        rows: npt.NDArray[np.intp],
        targets: npt.NDArray[np.float32],
        batch_size: int,
        seed: int,
        groups: npt.NDArray[np.intp] | None = None,
        often: npt.NDArray[np.bool_] | None = None,
        share: float = 1.0,
        side: int | None = None,
    ) -> None:
        """Describe the batches.

        Args:
            photos: (M, S, S, 3) uint8.
            rows: (n,) which of the photos.
            targets: (n, ...) what to predict for each of the rows.
            batch_size: photos per batch.
            seed: of the order and the mirroring.
            groups: (n,) rows of one group stay together, in random order, so that a loss can
                compare neighbours; default: every row by itself.
            often: (n,) rows shown in every epoch, the same for all of a group; default: all.
            share: of the other rows, drawn anew for each epoch by groups, of which the last may
                be cut.
            side: of the square at a random place that is shown of each photo, the same place for
                all of a group, so that like is compared with like; default: all of the photo.
        """
        super().__init__()
        self._photos, self._rows, self._targets = photos, rows, targets
        self._groups = np.arange(len(rows)) if groups is None else groups
        self._often = np.ones(len(rows), bool) if often is None else often
        self._share = share
        self._shown = self._often.sum() + round(share * (~self._often).sum())
        self._batch_size, self._seed = batch_size, seed
        self._side = side or photos.shape[1]
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Shuffle for this epoch; the order depends on seed and epoch alone, so resuming works."""
        rng = np.random.default_rng([self._seed, epoch])
        groups = self._groups.max() + 1
        place = rng.permutation(groups)[self._groups]
        # A lot of its own: drawn by their place in the epoch, the other rows would all come first.
        lot = np.random.default_rng([self._seed, epoch, 1]).permutation(groups)
        drawn = np.lexsort((lot[self._groups], ~self._often))[: self._shown]
        self._order = drawn[np.lexsort((rng.random(len(drawn)), place[drawn]))]
        self._mirrored = rng.random(len(self._rows)) < 0.5
        room = self._photos.shape[1] - self._side
        self._corners = rng.integers(room + 1, size=(groups, 2))[self._groups]

    def fingerprint(self) -> dict[str, object]:  # noqa: D102
        return {
            "batch size": self._batch_size,
            "seed": self._seed,
            "examples": _digest([self._rows, self._targets, self._groups, self._often]),
            "share": self._share,
            "side": self._side,
        }

    def __len__(self) -> int:
        return int(-(-self._shown // self._batch_size))

    def __getitem__(self, batch: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        chosen = self._order[batch * self._batch_size : (batch + 1) * self._batch_size]
        photos = np.stack(
            [
                self._photos[row, top : top + self._side, left : left + self._side]
                for row, (top, left) in zip(self._rows[chosen], self._corners[chosen], strict=True)
            ]
        )
        mirrored = self._mirrored[chosen]
        photos[mirrored] = photos[mirrored][:, :, ::-1]
        return photos, self._targets[chosen]


def add_options(parser: argparse.ArgumentParser, *, epochs: int, seeded: str) -> None:
    """Options of every training.

    Args:
        parser: of the command.
        epochs: unless others are asked for.
        seeded: what the seed is of, in words.
    """
    parser.add_argument(
        "--epochs", type=positive_number, default=epochs, help="default: %(default)s"
    )
    parser.add_argument(
        "--batch-size",
        type=positive_number,
        default=24,
        help="photos a step (default: %(default)s)",
    )
    parser.add_argument(
        "--learning-rate",
        type=positive_float,
        default=5e-4,
        help="at its peak (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=random_seed, default=0, help=f"of {seeded} (default: %(default)s)"
    )


def keep_start(out: Path, option: str, start: str | Path) -> None:
    """Make sure that a training does not replace the reports of the network that it starts from.

    Args:
        out: folder of the new training.
        option: what names the start, for the message.
        start: the starting weights, if they are a file.

    Raises:
        OptionError: the start lies in that folder.
    """
    if is_file(start) and resolved(Path(start).parent) == resolved(out):
        raise OptionError(
            f"{option} {start} lies in --out {out}, where this training would write over its "
            "reports; give another --out"
        )


def fit(
    model: keras.Model,
    batches: Batches,
    *,
    loss: object,
    metrics: Sequence[object],
    learning_rate: float,
    epochs: int,
    out: Path,
    finish: Callable[[], object],
    held_out: keras.utils.PyDataset | None = None,
) -> None:
    """Train with Adam and cosine decay; resume where an interrupted run of the same stopped.

    Loss and metrics of ``held_out`` are logged after each epoch.

    Writes ``log.csv`` and ``tensorboard/`` under ``out``, in place of those of a finished run,
    whose ``report.json`` goes too, since its weights are to be replaced. The checkpoint of the last
    epoch and what it belongs to lie in ``checkpoint/`` until ``finish`` has written the trained
    model and what is to be said of it.

    Raises:
        OptionError: the checkpoint belongs to another training, or cannot be read.
    """
    fingerprint = {
        "epochs": epochs,
        "learning rate": learning_rate,
        "precision": model.dtype_policy.name,
        **batches.fingerprint(),
        "starting weights": _digest(model.get_weights()),
    }
    checkpoint = _begin_or_resume(out, fingerprint)
    warmup = len(batches) // 2
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        epochs * len(batches) - warmup,  # Keras counts from where the warm-up ends
        alpha=0.01,
        warmup_target=learning_rate,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.Adam(schedule, clipnorm=1.0)
    model.compile(optimizer, loss=loss, metrics=metrics)
    done = 0
    if checkpoint.exists():
        optimizer.build(model.trainable_variables)
        _load(model, checkpoint)
        done = int(optimizer.iterations.numpy()) // len(batches)
        _cut_log(out / "log.csv", done)

    def begin(epoch: int, _: object) -> None:
        batches.start_epoch(epoch)
        for layer in model.layers:  # checkpoints leave out where dropout's randomness stands
            if isinstance(layer, keras.layers.Dropout):
                state = layer.seed_generator.state
                seed = int(keras.ops.convert_to_numpy(state)[0])
                state.assign([seed, epoch * len(batches)])

    def save(*_: object) -> None:
        # Whole or not at all: a disk that fills up leaves the last one as it is.
        unfinished = checkpoint.with_name(f"unfinished-{WEIGHTS}")
        model.save_weights(unfinished)
        unfinished.replace(checkpoint)

    model.fit(
        batches,
        initial_epoch=done,
        epochs=epochs,
        shuffle=False,
        verbose=2,
        validation_data=held_out,
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_begin=begin),
            keras.callbacks.CSVLogger(out / "log.csv", append=True),
            keras.callbacks.TensorBoard(out / "tensorboard", write_graph=False),
            keras.callbacks.LambdaCallback(on_epoch_end=save),  # when the log is written
        ],
    )
    finish()
    shutil.rmtree(checkpoint.parent)


def _begin_or_resume(out: Path, fingerprint: dict[str, object]) -> Path:
    """Clear away what another run left, unless it is this one, interrupted.

    Returns:
        Where the weights of the last epoch lie, or are to lie, in a folder of their own.
    """
    checkpoint = out / "checkpoint"
    record, weights = checkpoint / FINGERPRINT, checkpoint / WEIGHTS
    if weights.exists():
        theirs = _fingerprint(record)
        other = [name for name, value in fingerprint.items() if theirs.get(name) != value]
        if other:
            raise OptionError(
                f"{out}: holds an interrupted training with other {', '.join(other)}; to go on "
                f"with that one train as before, to start anew give another --out or delete the "
                f"folder {checkpoint}"
            )
        return weights
    for file in ("log.csv", "report.json"):
        (out / file).unlink(missing_ok=True)
    shutil.rmtree(out / "tensorboard", ignore_errors=True)
    checkpoint.mkdir(parents=True, exist_ok=True)
    write_atomically(record, json.dumps(fingerprint, indent=2).encode())
    return weights


def _fingerprint(record: Path) -> dict[str, object]:
    """What the checkpoint says it belongs to; nothing where that is missing or damaged."""
    try:
        theirs: dict[str, object] = json.loads(record.read_bytes())
    except (OSError, ValueError):
        return {}
    return theirs


def _load(model: keras.Model, checkpoint: Path) -> None:
    try:
        model.load_weights(checkpoint)
    except (OSError, ValueError, KeyError) as error:
        raise OptionError(
            f"{checkpoint}: the interrupted training cannot be gone on with, since its weights "
            f"cannot be read ({error}); to start anew delete the folder {checkpoint.parent}"
        ) from error


def _cut_log(log: Path, epochs: int) -> None:
    """Leave out an epoch that was logged and not saved; it comes again."""
    lines = log.read_text().splitlines(keepends=True)
    write_atomically(log, "".join(lines[: 1 + epochs]).encode())


def _digest(arrays: Iterable[npt.NDArray[np.generic]]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
