"""Training loop: Adam, cosine decay, checkpoints, logs.

Keras' ``BackupAndRestore`` is not used: it writes its checkpoint in place, so that a full disk
costs the whole training, and deletes it before the trained model is saved.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from pipelines.training.batches import Batches, digest
from trigger.errors import OptionError
from trigger.files import is_file, resolved, write_atomically

FINGERPRINT = "fingerprint.json"
WEIGHTS = "latest.weights.h5"


def check_start_outside(out: Path, option: str, start: str | Path) -> None:
    """Make sure that a training does not overwrite the reports of the network it starts from.

    Args:
        out: folder of the new training.
        option: what names the starting weights, for the message.
        start: the starting weights; names such as ``packaged`` pass.

    Raises:
        OptionError: the starting weights are a file in ``out``.
    """
    if is_file(start) and resolved(Path(start).parent) == resolved(out):
        raise OptionError(
            f"{option} {start} is in --out {out}, where this training would overwrite its reports; "
            "give another --out"
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
    show_progress: bool = False,
) -> None:
    """Train, or resume an interrupted run of the same training where it stopped.

    Writes ``log.csv`` and ``tensorboard/`` to ``out`` in place of those of a finished training,
    and removes the ``report.json`` of that. ``checkpoint/`` there holds the weights of the last
    epoch until ``finish`` has returned. A resumed training ends with the same weights as one that
    was not interrupted.

    Args:
        model: changed in place.
        batches: training data.
        loss: of targets and predictions.
        metrics: logged with the loss.
        learning_rate: at its peak, after half an epoch of warm-up.
        epochs: passes over ``batches``.
        out: existing folder.
        finish: saves the trained model and its report.
        held_out: data on which loss and metrics are logged after each epoch.
        show_progress: print a line per epoch.

    Raises:
        OptionError: the checkpoint in ``out`` belongs to another training, or cannot be read.
    """
    fingerprint = {
        "epochs": epochs,
        "learning rate": learning_rate,
        "precision": model.dtype_policy.name,
        **batches.fingerprint(),
        "starting weights": digest(model.get_weights()),
    }
    checkpoint = _begin_or_resume(out, fingerprint)
    optimizer = keras.optimizers.Adam(
        _schedule(learning_rate, epochs * len(batches), warmup=len(batches) // 2), clipnorm=1.0
    )
    model.compile(optimizer, loss=loss, metrics=metrics)
    done = 0
    if checkpoint.exists():
        optimizer.build(model.trainable_variables)
        _load(model, checkpoint)
        done = int(optimizer.iterations.numpy()) // len(batches)
        _truncate_log(out / "log.csv", done)

    def begin(epoch: int, _: object) -> None:
        batches.start_epoch(epoch)
        _seed_dropout(model, epoch * len(batches))

    def save(*_: object) -> None:
        # Whole or not at all: a disk that fills up leaves the last checkpoint as it is.
        unfinished = checkpoint.with_name(f"unfinished-{WEIGHTS}")
        model.save_weights(unfinished)
        unfinished.replace(checkpoint)

    model.fit(
        batches,
        initial_epoch=done,
        epochs=epochs,
        shuffle=False,
        verbose=2 if show_progress else 0,
        validation_data=held_out,
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_begin=begin),
            keras.callbacks.CSVLogger(out / "log.csv", append=True),
            keras.callbacks.TensorBoard(out / "tensorboard", write_graph=False),
            keras.callbacks.LambdaCallback(on_epoch_end=save),  # after the log is written
        ],
    )
    finish()
    shutil.rmtree(checkpoint.parent)


def _schedule(peak: float, steps: int, warmup: int) -> keras.optimizers.schedules.CosineDecay:
    """Linear warm-up to the peak, then cosine decay to 1 % of it."""
    return keras.optimizers.schedules.CosineDecay(
        0.0,
        steps - warmup,  # Keras counts from the end of the warm-up
        alpha=0.01,
        warmup_target=peak,
        warmup_steps=warmup,
    )


def _seed_dropout(model: keras.Model, step: int) -> None:
    """Set the random state of dropout, which checkpoints do not hold, to that at a step."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            state = layer.seed_generator.state
            seed = int(keras.ops.convert_to_numpy(state)[0])
            state.assign([seed, step])


def _begin_or_resume(out: Path, fingerprint: dict[str, object]) -> Path:
    """Remove the results of another training, unless it is this one, interrupted.

    Returns:
        The file for the weights of the last epoch; it exists if this training was interrupted.
    """
    checkpoint = out / "checkpoint"
    record, weights = checkpoint / FINGERPRINT, checkpoint / WEIGHTS
    if weights.exists():
        recorded = _read_fingerprint(record)
        other = [name for name, value in fingerprint.items() if recorded.get(name) != value]
        if other:
            raise OptionError(
                f"{out}: holds an interrupted training with other {', '.join(other)}; to resume "
                f"it, use its options again; to start over, give another --out or delete the "
                f"folder {checkpoint}"
            )
        return weights
    for file in ("log.csv", "report.json"):
        (out / file).unlink(missing_ok=True)
    shutil.rmtree(out / "tensorboard", ignore_errors=True)
    checkpoint.mkdir(parents=True, exist_ok=True)
    write_atomically(record, json.dumps(fingerprint, indent=2).encode())
    return weights


def _read_fingerprint(record: Path) -> dict[str, object]:
    """The fingerprint of the checkpoint; empty where it is missing or damaged."""
    try:
        recorded: dict[str, object] = json.loads(record.read_bytes())
    except (OSError, ValueError):
        return {}
    return recorded


def _load(model: keras.Model, checkpoint: Path) -> None:
    try:
        model.load_weights(checkpoint)
    except (OSError, ValueError, KeyError) as error:
        raise OptionError(
            f"{checkpoint}: the interrupted training cannot be resumed: the checkpoint is "
            f"unreadable ({error}); to start over, delete the folder {checkpoint.parent}"
        ) from error


def _truncate_log(log: Path, epochs: int) -> None:
    """Remove an epoch that was logged but not saved; it is repeated."""
    lines = log.read_text().splitlines(keepends=True)
    write_atomically(log, "".join(lines[: 1 + epochs]).encode())
