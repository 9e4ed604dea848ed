"""Which choices in training the trigger pay? One change at a time, on the same labels.

``python benchmarks/training.py LABELS RATINGS --init WEIGHTS --teacher WEIGHTS [--scorer NAME]
[--share 0.25] [--epochs 4] [--out FOLDER]`` with a folder that ``trigger label`` wrote, a CSV that
``trigger derive-ratings`` wrote, and weights of ImageNet trunks of alpha 0.35 and 1.0. Every
variant is trained on the same share of the training scenes with the same seed, order and number of
steps.
Written is how well it predicts delta on the held-out scenes, with 95 % bootstrap intervals over
scenes, the paired interval of its difference to the first variant, and the area under the
precision-recall curve that fine-tuning to the ratings reaches on held-out scenes, for all and for
the photos of LIVE Challenge. The larger network that one variant learns from is shown too. An
interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from annotation.origins import origins_of
from pipelines import fitting
from pipelines.averaging import average
from pipelines.labels import read
from pipelines.metrics import interval, resample_scenes
from pipelines.networks import (
    ALPHA,
    NIMA_OUTPUT,
    TAP,
    build_nima,
    build_trigger,
    cut_trunk,
    load_network,
    predict_in_slices,
    save_network,
    save_whole,
    warm_start,
)
from pipelines.photo_store import preprocess_photos
from pipelines.splits import is_held_out
from pipelines.train import QUALITY_WEIGHT, Loss, delta_loss, delta_loss_with, with_quality_head
from trigger import cli
from trigger.files import make_folder
from trigger.preprocessing import STANDARD

BATCH_SIZE = 24
LEARNING_RATE = 5e-4
TEACHER_LEARNING_RATE = 2e-4
TEACHER = "(the teacher itself)"
RATED = ("all", "live_challenge")


@dataclass(frozen=True)
class Variant:
    """A way to train.

    Attributes:
        loss: of delta and score, (N, 2) each.
        start: the ImageNet trunk that the command line names, the packaged trunk, or random
            weights, and then batch normalisation learns too.
        averaged: keep the mean of the weights at both ends of training.
        side: of the random square of a photo that training shows.
        scales: how many sizes of the photo the network sees, 1 or 2.
        taught: learn the mean of what was measured and what the teacher says of the same photos
            (Hinton et al., arXiv:1503.02531).
    """

    loss: Loss = delta_loss
    start: Literal["imagenet", "packaged", "random"] = "imagenet"
    averaged: bool = False
    side: int = fitting.SIDE
    scales: int = 1
    taught: bool = False


def at_two_scales(trigger: keras.Model) -> keras.Model:
    """The trigger that sees the photo at 448 and at 224 pixels: one trunk, mean of the features."""
    body = keras.applications.MobileNetV2(
        (None, None, 3), alpha=ALPHA, include_top=False, weights=None
    )
    pooled = keras.layers.GlobalAveragePooling2D()(body.get_layer(TAP).output)
    trunk = keras.Model(body.input, pooled, name="trunk")
    trunk.set_weights(cut_trunk(trigger).get_weights())
    for layer in trunk.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    photo = trigger.get_layer("normalise").output
    half = keras.layers.AveragePooling2D(2, name="half")(photo)
    features = keras.layers.Average(name="pool")([trunk(photo), trunk(half)])
    return keras.Model(trigger.input, trigger.layers[-1](features), name="trigger")


def build_teacher(side: int) -> keras.Model:
    """NIMA's trunk of alpha 1.0 with its features of four depths; delta and score, (N, 2)."""
    nima = build_nima(side)
    head = keras.layers.Dense(2, kernel_initializer="zeros", name=NIMA_OUTPUT)
    return keras.Model(nima.input, head(nima.get_layer("dropout").output), name="nima")


VARIANTS = {
    "as trigger train": Variant(),
    "taught by alpha 1.0": Variant(taught=True),
    "whole photos": Variant(side=STANDARD.size),
    "parts of 224 pixels": Variant(side=224),
    "two scales, whole photos": Variant(side=STANDARD.size, scales=2),
    "squared error": Variant(delta_loss_with(QUALITY_WEIGHT, keras.ops.square)),
    "score as heavy as delta": Variant(delta_loss_with(1.0)),
    "delta alone": Variant(delta_loss_with(0.0)),
    "from scratch": Variant(start="random"),
    "from the packaged trunk": Variant(start="packaged"),
    "the same, mean of both ends": Variant(start="packaged", averaged=True),
}


def trained(
    variant: Variant, init: str, batches: fitting.PhotoBatches, mean: float, epochs: int, out: Path
) -> keras.Model:
    """The trigger, trained this way; read from ``out`` if that was done before."""

    def build() -> tuple[keras.Model, keras.Model, keras.Model]:
        model = build_trigger(variant.side)
        if variant.start != "random":
            warm_start(model, init if variant.start == "imagenet" else variant.start)
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = variant.start == "random"
        if variant.scales == 2:
            model = at_two_scales(model)
            return with_quality_head(model, mean), model, model
        return with_quality_head(model, mean), model, build_trigger()

    return fitted(build, batches, variant.loss, LEARNING_RATE, epochs, out / "trigger.keras")


def teacher(init: str, batches: fitting.PhotoBatches, epochs: int, out: Path) -> keras.Model:
    """The larger network, trained on the same photos; read from ``out`` if that was done before."""

    def build() -> tuple[keras.Model, keras.Model, keras.Model]:
        model = build_teacher(fitting.SIDE)
        warm_start(model, init)
        return model, model, build_teacher(STANDARD.size)

    return fitted(build, batches, delta_loss, TEACHER_LEARNING_RATE, epochs, out / "teacher.keras")


def fitted(
    build: Callable[[], tuple[keras.Model, keras.Model, keras.Model]],
    batches: fitting.PhotoBatches,
    loss: Loss,
    learning_rate: float,
    epochs: int,
    file: Path,
) -> keras.Model:
    """A trained network, read from ``file`` if it is there.

    Args:
        build: what is trained, what is saved of it, and a network of whole photos to save it in.
        batches: what it is trained on.
        loss: of delta and score.
        learning_rate: at its peak.
        epochs: how many.
        file: where it is kept.
    """
    if not file.exists():
        make_folder(file.parent)
        keras.utils.set_random_seed(0)
        trained, model, whole = build()
        fitting.fit(
            trained,
            batches,
            loss=loss,
            metrics=[],
            learning_rate=learning_rate,
            epochs=epochs,
            out=file.parent,
            save=partial(save_whole, model, whole, file, {}),
        )
    return load_network(file)


def finetuned(network: Path, ratings: Path) -> dict[str, float]:
    """AUC-PR of a network after fine-tuning, for all rated photos and for those of phones."""
    out = network.with_suffix("")
    command = ["finetune", str(network), str(ratings), "--out", str(out)]
    if not (out / "report.json").exists() and cli.main(command) != 0:
        sys.exit(f"{network}: fine-tuning failed, see above")
    report = json.loads((out / "report.json").read_text())
    sides = {"all": report, "live_challenge": report["by_rater"]["live_challenge"]}
    return {
        f"auc_pr_{name}": side["held_out"]["scores"]["fine-tuned"]["auc_pr"]
        for name, side in sides.items()
    }


def spearman(pairs: npt.NDArray[np.float32]) -> float:
    """Rank correlation of the two rows of (2, n)."""
    return float(np.corrcoef(rankdata(pairs, axis=1))[0, 1])


def compare(
    predictions: dict[str, npt.NDArray[np.float32]],
    deltas: npt.NDArray[np.float32],
    scenes: npt.NDArray[np.str_],
) -> dict[str, Any]:
    """Spearman of every variant, its interval, and that of its difference to the first."""
    pairs = {name: np.stack([scores, deltas]) for name, scores in predictions.items()}
    draws = [np.repeat(np.arange(len(deltas)), weights) for weights in resample_scenes(scenes)]
    samples = {n: np.array([spearman(p[:, draw]) for draw in draws]) for n, p in pairs.items()}
    first = next(iter(samples))
    return {
        name: {
            "spearman": spearman(pairs[name]),
            "interval": interval(samples[name]),
            "difference_interval": interval(samples[name] - samples[first]),
            "mean_absolute_error": float(np.mean(np.abs(predictions[name] - deltas))),
        }
        for name in pairs
    }


def main() -> int:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("labels", help="folder that trigger label wrote")
    parser.add_argument("ratings", type=Path, help="CSV that trigger derive-ratings wrote")
    parser.add_argument("--init", required=True, help="ImageNet trunk, .weights.h5")
    parser.add_argument("--teacher", required=True, help="the same of alpha 1.0")
    parser.add_argument("--scorer", metavar="NAME", help="only labels of this one, as in train")
    parser.add_argument("--share", type=float, default=0.25, help="of the training scenes")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("training-variants"))
    args = parser.parse_args()
    make_folder(args.out)
    stamp, options = args.out / "options.json", {n: str(value) for n, value in vars(args).items()}
    if stamp.exists() and json.loads(stamp.read_text()) != options:
        parser.error(f"{args.out} holds variants of other options; give another --out")
    stamp.write_text(json.dumps(options, indent=2))
    labels = read(args.labels, scorer=args.scorer).reset_index(drop=True)
    labels = labels.join(origins_of(labels))
    held_out = labels["scene"].map(is_held_out)
    scenes = (
        labels.loc[~held_out, "scene"].drop_duplicates().sample(frac=args.share, random_state=0)
    )
    labels = labels[held_out | labels["scene"].isin(scenes)].reset_index(drop=True)
    photos, rejected = preprocess_photos(
        list(labels["path"]), list(labels["photo"]), args.out / "photos.npy", "preprocessing"
    )
    known = ~labels["path"].isin(list(rejected))
    held_out = labels["scene"].map(is_held_out)
    rows, unseen = np.flatnonzero(known & ~held_out), np.flatnonzero(known & held_out)
    targets = labels[["delta", "input_score"]].to_numpy(np.float32)
    scene = labels["scene"].to_numpy(np.str_)
    mean = float(targets[rows, 1].mean())
    predictions, areas = {}, {}
    for name, variant in VARIANTS.items():
        folder, answers = args.out / name.replace(",", "").replace(" ", "-"), targets[rows]
        if variant.taught:
            batches = fitting.PhotoBatches(photos, rows, answers, BATCH_SIZE, 0, side=variant.side)
            large = teacher(args.teacher, batches, args.epochs, args.out / "teacher")
            answers = np.mean([answers, predict_in_slices(large, photos, rows)], axis=0)
            predictions[TEACHER] = predict_in_slices(large, photos, unseen)[:, 0]
        batches = fitting.PhotoBatches(photos, rows, answers, BATCH_SIZE, 0, side=variant.side)
        network = trained(variant, args.init, batches, mean, args.epochs, folder)
        file = folder / "trigger.keras"
        if variant.averaged:
            file = folder / "mean.keras"
            start = build_trigger()
            warm_start(start, variant.start)
            average(network, start.get_weights(), photos, rows, targets[rows, 0], scene[rows])
            save_network(network, file, {})
        predictions[name] = predict_in_slices(network, photos, unseen)[:, 0]
        areas[name] = finetuned(file, args.ratings)
    (args.out / "photos.npy").unlink()
    found = compare(predictions, targets[unseen, 0], scene[unseen])
    for name, area in areas.items():
        found[name] |= area
    report = {"train": len(rows), "held_out": len(unseen), "epochs": args.epochs, "variants": found}
    (args.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"| {len(rows)} labels, {args.epochs} epochs ", end="")
    print("| Spearman | difference | error | AUC-PR | phones |")
    print("|---|---|---|---|---|---|")
    for name, figures in found.items():
        low, high = figures["interval"]
        less, more = figures["difference_interval"]
        print(
            f"| {name} | {figures['spearman']:.3f} [{low:.3f}, {high:.3f}] | "
            f"[{less:+.3f}, {more:+.3f}] | {figures['mean_absolute_error']:.3f} | ",
            *(f"{figures[f'auc_pr_{rated}']:.3f} |" for rated in RATED if name != TEACHER),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
