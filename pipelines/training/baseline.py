"""``trigger train``: the network that predicts delta, from labels."""

from __future__ import annotations

import argparse
import json
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.data.available import leave_out_missing
from pipelines.data.labels import read
from pipelines.data.lock import working_in
from pipelines.data.preprocessed import preprocess_photos
from pipelines.data.provenance import origins_of
from pipelines.data.splits import is_held_out
from pipelines.degradation.hard_negatives import HARD_NEGATIVES
from pipelines.evaluation.metrics import agreement
from pipelines.models.record import MADE_WITH
from pipelines.training import loop as fitting
from pipelines.training import plots
from pipelines.training.averaging import average, refit_head
from pipelines.training.finetuning.head import read_head
from pipelines.training.networks import (
    build_trigger,
    cut_trunk,
    predict_in_slices,
    save_network,
    warm_start,
)
from trigger.cli.options import local_path
from trigger.errors import DataError, OptionError
from trigger.files import write_atomically
from trigger.preprocessing import STANDARD


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``trigger train``."""
    parser.description = (
        "Train the trigger network to predict delta from labels. A fifth of all scenes is held "
        "out for the report. An interrupted training goes on where it stopped. Writes "
        "baseline.keras, report.json, predictions.csv, scatter.png, log.csv and tensorboard/."
    )
    parser.epilog = "example: trigger train labels --out baseline --init packaged --epochs 10"
    parser.add_argument("labels", type=local_path, help="folder that 'trigger label' wrote")
    parser.add_argument(
        "--out", type=local_path, required=True, help="folder for model, logs, report"
    )
    for part in ("enhancer", "scorer"):
        parser.add_argument(
            f"--{part}",
            metavar="NAME",
            help=f"only labels of this {part}, 'NAME' or 'NAME VERSION'; needed where the folder "
            f"holds labels of several",
        )
    parser.add_argument(
        "--init",
        default="packaged",
        help="starting weights of the trunk: packaged, imagenet (downloaded by Keras), a "
        "MobileNetV2 .weights.h5 file, or a .keras file of a trigger, whose head is kept too "
        "(default: packaged)",
    )
    parser.add_argument(
        "--average",
        action="store_true",
        help="save the mean of the weights that training starts and ends with, under a head fitted "
        "to it: often better for photos unlike the labelled ones (arXiv:2109.01903). Needs the "
        "weights of a trigger to start from",
    )
    fitting.add_options(parser, epochs=10, seeded="order, mirroring and squares")


def run(args: argparse.Namespace) -> int:
    """Train and report."""
    if args.average and (args.init == "imagenet" or args.init.endswith(".weights.h5")):
        raise OptionError(
            "--average needs the weights of a trigger as --init, 'packaged' or a .keras file, got "
            f"{args.init!r}: the mean with weights for another task is of no use"
        )
    fitting.keep_start(args.out, "--init", args.init)
    labels = _read_labels(args)
    with working_in(args.out):
        _train(labels, args)
    return 0


def _train(labels: pd.DataFrame, args: argparse.Namespace) -> None:
    keras.utils.set_random_seed(args.seed)
    model, whole = build_trigger(fitting.SIDE), build_trigger()
    copied = warm_start(model, args.init)
    start = model.get_weights()
    photos, labels = _photos_of(labels, args)
    labels["held_out"] = labels["scene"].map(is_held_out)
    learned = labels[~labels["held_out"]]
    if len(learned) < args.batch_size or len(learned) == len(labels):
        raise DataError(
            f"{args.labels}: {len(learned)} labels to train on and {len(labels) - len(learned)} "
            f"held out; training needs at least {args.batch_size} and 1: label more photos"
        )
    rows = learned.index.to_numpy()
    targets = training_targets(learned)
    print(  # noqa: T201
        f"{copied:,} of {model.count_params():,} parameters from {args.init}; "
        f"{len(learned)} labels to train on, {len(labels) - len(learned)} held out"
    )

    def finish() -> None:
        whole.set_weights(model.get_weights())
        if args.average:
            average(whole, start)
        features = predict_in_slices(cut_trunk(whole), photos, labels.index.to_numpy())
        if args.average:
            scenes = learned["scene"].to_numpy(np.str_)
            refit_head(whole, features[~labels["held_out"]], targets[:, 0], scenes)
        save_network(whole, args.out / "baseline.keras", _origin(labels))
        scores = read_head(whole).scores(features.astype(np.float64))
        _write_reports(labels.assign(score=scores), args)

    fitting.fit(
        with_auxiliary_heads(model, targets.mean(axis=0)),
        fitting.PhotoBatches(photos, rows, targets, args.batch_size, args.seed, side=fitting.SIDE),
        loss="mean_squared_error",
        metrics=[delta_error],
        learning_rate=args.learning_rate,
        epochs=args.epochs,
        out=args.out,
        finish=finish,
    )
    (args.out / "photos.npy").unlink()


def _read_labels(args: argparse.Namespace) -> pd.DataFrame:
    """Labels of one recipe with scene and kind of their photos, numbered from 0."""
    labels = read(args.labels, enhancer=args.enhancer, scorer=args.scorer).reset_index(drop=True)
    return labels.join(origins_of(labels))


def _photos_of(
    labels: pd.DataFrame, args: argparse.Namespace
) -> tuple[npt.NDArray[np.uint8], pd.DataFrame]:
    """Photos (N, 448, 448, 3) of labels, and the labels without those whose photo has gone.

    What is left keeps its number, which is the row of its photo.
    """
    photos, rejected = preprocess_photos(
        list(labels["path"]), list(labels["photo"]), args.out / "photos.npy", "preprocessing"
    )
    leave_out_missing(
        args.labels,
        [(labels["path"][row], reason) for row, reason in rejected.items()],
        len(labels),
        "Put them back, or label them where they are now into another folder",
    )
    return photos, labels.drop(index=list(rejected))


def training_targets(labels: pd.DataFrame) -> npt.NDArray[np.float32]:
    """What training predicts of each photo: delta, the score of the photo itself, and whether it is
    a hard negative, one column for each kind of them; (n, 2 + kinds).
    """
    negatives = [labels["kind"] == kind for kind in HARD_NEGATIVES]
    return np.column_stack([labels["delta"], labels["input_score"], *negatives]).astype(np.float32)


def with_auxiliary_heads(trigger: keras.Model, means: npt.NDArray[np.float32]) -> keras.Model:
    """The trigger with outputs beside delta for all else in ``training_targets``.

    What a photo can gain depends on how good it is already. Learning both, at equal weight, keeps
    in the 112 features what people's ratings are about, and steadies delta, which alone is a small
    difference of two scores. Hard negatives look poor, too, and a head can only tell them from poor
    photos if the features hold them apart by more than photos differ among each other. Only
    training sees these heads; they start at the mean targets.
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


def _origin(labels: pd.DataFrame) -> dict[str, str]:
    """What the labels were made with; ``read`` gives those of one recipe."""
    return {part: str(labels[part].iloc[0]) for part in MADE_WITH}


def _write_reports(labels: pd.DataFrame, args: argparse.Namespace) -> None:
    columns = ["photo", "path", "scene", "kind", "held_out", "delta", "score"]
    table = labels[columns].to_csv(index=False)
    write_atomically(args.out / "predictions.csv", table.encode())
    report = _report(labels, args)
    write_atomically(args.out / "report.json", json.dumps(report, indent=2).encode())
    for side in ("train", "held_out"):
        figures = report[side]
        print(  # noqa: T201
            f"{side.replace('_', ' ')}: n {figures['n']}, Pearson {_show(figures['pearson'])}, "
            f"Spearman {_show(figures['spearman'])}"
        )


def _report(labels: pd.DataFrame, args: argparse.Namespace) -> dict[str, Any]:
    sides = {}
    report: dict[str, Any] = {
        "options": {"init": args.init, "epochs": args.epochs, "batch_size": args.batch_size}
        | {"learning_rate": args.learning_rate, "seed": args.seed, "average": args.average},
        "preprocessing": STANDARD.version,
        "labels": _origin(labels),
    }
    for side, mask in (("train", ~labels["held_out"]), ("held_out", labels["held_out"])):
        predicted = labels.loc[mask, "score"].to_numpy()
        measured = labels.loc[mask, "delta"].to_numpy()
        report[side] = agreement(predicted, measured)
        report[side]["scenes"] = int(labels.loc[mask, "scene"].nunique())
        report[side]["by_kind"] = {
            str(kind): {
                "n": len(rows),
                "mean_delta": float(rows["delta"].mean()),
                "mean_score": float(rows["score"].mean()),
            }
            for kind, rows in labels[mask].groupby("kind")
        }
        sides[side.replace("_", " ")] = (predicted, measured)
    plots.scatter(args.out / "scatter.png", sides, "Measured and predicted delta")
    return report


def _show(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
