"""Train the trigger network to predict delta from labels."""

from __future__ import annotations

import logging
from os import PathLike
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.data.available import report_missing
from pipelines.data.json_records import to_json
from pipelines.data.labels import read_labels
from pipelines.data.lock import working_in
from pipelines.data.preprocessed import preprocess_photos
from pipelines.data.provenance import origins_of
from pipelines.data.splits import is_held_out
from pipelines.data.tables import frame_bytes
from pipelines.degradation.hard_negatives import HARD_NEGATIVES
from pipelines.models.record import MADE_WITH
from pipelines.training import loop
from pipelines.training.averaging import average, refit_head
from pipelines.training.baseline_report import TrainingReport, draw_scatter, make_report
from pipelines.training.batches import CROP_SIDE, PhotoBatches
from pipelines.training.finetuning.head import read_head
from pipelines.training.networks import (
    build_trigger,
    cut_trunk,
    predict_in_slices,
    save_network,
    warm_start,
)
from pipelines.training.options import TrainOptions
from trigger.errors import DataError
from trigger.files import write_atomically

logger = logging.getLogger(__name__)


def train(
    labels: str | PathLike[str],
    out: str | PathLike[str],
    options: TrainOptions | None = None,
    *,
    show_progress: bool = False,
) -> TrainingReport:
    """Train the trigger network to predict delta; a fifth of all scenes is held out.

    Writes ``baseline.keras``, ``report.json``, ``predictions.csv``, ``scatter.png``, ``log.csv``
    and ``tensorboard/``. An interrupted training resumes where it stopped.

    Args:
        labels: folder that ``trigger label`` wrote.
        out: folder for the results; made if it does not exist.
        options: starting weights and schedule.
        show_progress: print a line per epoch, and draw a progress bar on stderr if that is a
            terminal.

    Returns:
        What ``report.json`` holds.

    Raises:
        DataError: the labels cannot be used, or are too few.
        ModelError: the starting weights cannot be read, or are of another network.
        OptionError: ``out`` holds the starting weights, or another training that was interrupted.

    Example:
        >>> from pipelines.training import TrainOptions, train
        >>> report = train("labels", "baseline", TrainOptions(epochs=10))  # doctest: +SKIP
        >>> report.held_out.spearman  # doctest: +SKIP
        0.87
    """
    options = options or TrainOptions()
    labels, out = Path(labels), Path(out)
    loop.check_start_outside(out, "--init", options.init)
    table = read_labels(labels, enhancer=options.enhancer, scorer=options.scorer).reset_index(
        drop=True
    )
    table = table.join(origins_of(table))
    with working_in(out):
        return _train(labels, table, out, options, show_progress)


def _train(
    source: Path, labels: pd.DataFrame, out: Path, options: TrainOptions, show_progress: bool
) -> TrainingReport:
    keras.utils.set_random_seed(options.seed)
    model, whole = build_trigger(CROP_SIDE), build_trigger()
    copied = warm_start(model, options.init)
    start = model.get_weights()
    photos, labels = _photos_of(source, labels, out, show_progress)
    labels["held_out"] = labels["scene"].map(is_held_out)
    learned = labels[~labels["held_out"]]
    _check_counts(source, labels, options)
    targets = training_targets(learned)
    logger.info(
        "%s of %s parameters from %s; %d labels to train on, %d held out",
        f"{copied:,}",
        f"{model.count_params():,}",
        options.init,
        len(learned),
        len(labels) - len(learned),
    )
    report: list[TrainingReport] = []

    def finish() -> None:
        whole.set_weights(model.get_weights())
        if options.average:
            average(whole, start)
        features = predict_in_slices(cut_trunk(whole), photos, labels.index.to_numpy())
        if options.average:
            scenes = learned["scene"].to_numpy(np.str_)
            refit_head(whole, features[~labels["held_out"]], targets[:, 0], scenes)
        made_with = {part: str(labels[part].iloc[0]) for part in MADE_WITH}
        save_network(whole, out / "baseline.keras", made_with)
        scored = labels.assign(score=read_head(whole).scores(features.astype(np.float64)))
        report.append(make_report(scored, made_with, options))
        _write_reports(out, scored, report[0])

    loop.fit(
        with_auxiliary_heads(model, targets.mean(axis=0)),
        PhotoBatches(
            photos,
            learned.index.to_numpy(),
            targets,
            options.batch_size,
            options.seed,
            side=CROP_SIDE,
        ),
        loss="mean_squared_error",
        metrics=[delta_error],
        learning_rate=options.learning_rate,
        epochs=options.epochs,
        out=out,
        finish=finish,
        show_progress=show_progress,
    )
    (out / "photos.npy").unlink()
    return report[0]


def _photos_of(
    source: Path, labels: pd.DataFrame, out: Path, show_progress: bool
) -> tuple[npt.NDArray[np.uint8], pd.DataFrame]:
    """Photos (N, 448, 448, 3) of labels, and the labels without those whose photo is missing.

    The index of a label stays the row of its photo.
    """
    photos, rejected = preprocess_photos(
        list(labels["path"]),
        list(labels["photo"]),
        out / "photos.npy",
        "preprocessing",
        show_progress=show_progress,
    )
    report_missing(
        source,
        [(labels["path"][row], reason) for row, reason in rejected.items()],
        len(labels),
        "Put them back, or label them where they are now into another folder",
    )
    return photos, labels.drop(index=list(rejected))


def _check_counts(source: Path, labels: pd.DataFrame, options: TrainOptions) -> None:
    held_out = int(labels["held_out"].sum())
    learned = len(labels) - held_out
    if learned < options.batch_size or held_out == 0:
        raise DataError(
            f"{source}: {learned} labels to train on and {held_out} held out; training needs at "
            f"least {options.batch_size} and 1: label more photos"
        )


def training_targets(labels: pd.DataFrame) -> npt.NDArray[np.float32]:
    """Targets (n, 2 + kinds) of training: delta, score of the photo, and one column per kind of
    hard negative, which is 1 for photos of that kind.
    """
    negatives = [labels["kind"] == kind for kind in HARD_NEGATIVES]
    return np.column_stack([labels["delta"], labels["input_score"], *negatives]).astype(np.float32)


def with_auxiliary_heads(trigger: keras.Model, means: npt.NDArray[np.float32]) -> keras.Model:
    """Add outputs for the other columns of :func:`training_targets`, for training only.

    Multi-task learning: the score keeps in the 112 features what ratings are about, and
    regularizes delta, a small difference of two scores. Hard negatives look poor, too; the head
    can distinguish them from poor photos only if the features separate them.

    Args:
        trigger: network with one output.
        means: (2 + kinds,) mean targets, where the new outputs start.
    """
    auxiliary = keras.layers.Dense(
        len(means) - 1,
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(means[1:]),
        name="auxiliary",
    )(trigger.get_layer("pool").output)
    everything = keras.layers.Concatenate()([trigger.output, auxiliary])
    return keras.Model(trigger.input, everything, name="trigger_training")


def delta_error(measured: keras.KerasTensor, predicted: keras.KerasTensor) -> keras.KerasTensor:
    """Absolute error of delta, per photo."""
    return keras.ops.abs(measured[:, 0] - predicted[:, 0])


def _write_reports(out: Path, labels: pd.DataFrame, report: TrainingReport) -> None:
    columns = ["photo", "path", "scene", "kind", "held_out", "delta", "score"]
    write_atomically(out / "predictions.csv", frame_bytes(labels[columns]))
    write_atomically(out / "report.json", to_json(report))
    draw_scatter(out / "scatter.png", labels)
