"""Which choices in training the trigger pay? One change at a time, on the same labels.

``python benchmarks/training.py LABELS RATINGS --init WEIGHTS --teacher WEIGHTS [--enhancer NAME]
[--scorer NAME] [--share 0.25] [--epochs 4] [--out FOLDER]`` with a folder that ``trigger label``
wrote, a CSV that ``trigger derive-ratings`` wrote, LIVE Challenge among it, and weights of ImageNet
trunks of alpha 0.35 and 1.0. Every variant is trained on the same share of the training scenes with
the same seed, order and number of steps, and judged on a fifth of the scenes that is held out for
choosing. The fifth that the packaged models are reported on takes no part, so choices made here do
not flatter that report. The packaged trunk has seen the scenes for choosing: what starts from it is
to be compared with its like alone.

Written is how well each variant predicts delta, with 95 % bootstrap intervals over scenes, the
paired interval of its difference to the first variant, and the area under the precision-recall
curve that fine-tuning to the ratings reaches, for all and for the photos of LIVE Challenge. The
larger network that one variant learns from is shown too. An interrupted run resumes where it
stopped.
"""

from __future__ import annotations

import argparse
import hashlib
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
import pandas as pd
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score

from export.network import load_network
from pipelines.data.labels import read_labels
from pipelines.data.preprocessed import preprocess_photos
from pipelines.data.provenance import origins_of
from pipelines.data.splits import is_held_out
from pipelines.evaluation.metrics import interval, resample_scenes
from pipelines.ratings.photos import read_rated
from pipelines.training.averaging import average, refit_head
from pipelines.training.baseline import training_targets, with_auxiliary_heads
from pipelines.training.batches import CROP_SIDE, PhotoBatches
from pipelines.training.finetuning.head import RatedPhotos, fit_best_head, read_head
from pipelines.training.loop import fit
from pipelines.training.networks import (
    ALPHA,
    PACKAGED_TRUNK,
    TAP,
    build_nima,
    build_trigger,
    cut_trunk,
    predict_in_slices,
    save_whole,
    warm_start,
)
from trigger.cli.app import reported
from trigger.errors import DataError
from trigger.files import make_folder
from trigger.interface import DISTRIBUTION
from trigger.preprocessing import STANDARD

BATCH_SIZE = 24
LEARNING_RATE = 5e-4
TEACHER_LEARNING_RATE = 2e-4
TEACHER = "(the teacher itself)"
RATED = ("all", "phones")
PHONES = "live_challenge"  # who rated these
CHOOSING = 1  # fold of scenes; fold 0 is for reports alone
HUBER = 0.25  # errors beyond this many points count linearly

Loss = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]


def huber(difference: keras.KerasTensor) -> keras.KerasTensor:
    """Square of small differences, distance of large ones."""
    error = keras.ops.abs(difference)
    return keras.ops.where(
        error < HUBER, 0.5 * keras.ops.square(error) / HUBER, error - 0.5 * HUBER
    )


def loss_with(
    score_weight: float, of: Callable[[keras.KerasTensor], keras.KerasTensor] = huber
) -> Loss:
    """Loss of delta and, at ``score_weight``, of the score; (N, 2) each, to (N,)."""

    def loss(measured: keras.KerasTensor, predicted: keras.KerasTensor) -> keras.KerasTensor:
        weights = keras.ops.array([1.0, score_weight])
        return keras.ops.sum(of(measured - predicted) * weights, axis=-1)

    return loss


HUBER_AND_A_FIFTH = loss_with(0.2)


@dataclass(frozen=True)
class Variant:
    """A way to train.

    Attributes:
        loss: of what is predicted, (N, 2) each, or (N, 5) with hard negatives.
        start: the ImageNet trunk that the command line names, the packaged trunk, or random
            weights, and then batch normalization learns too.
        mean_of: another variant; instead of training, take the mean of the weights that it
            starts and ends with.
        side: of the random square of a photo that training shows.
        scales: how many sizes of the photo the network sees, 1 or 2.
        negatives: predict, besides delta and score, which photos are hard negatives.
        taught: learn the mean of the measured values and the teacher's predictions
            (Hinton et al., arXiv:1503.02531).
    """

    loss: Loss = HUBER_AND_A_FIFTH
    start: Literal["imagenet", "packaged", "random"] = "imagenet"
    mean_of: str = ""
    side: int = CROP_SIDE
    scales: int = 1
    negatives: bool = False
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
    head = keras.layers.Dense(2, kernel_initializer="zeros", name=DISTRIBUTION)
    return keras.Model(nima.input, head(nima.get_layer("dropout").output), name="nima")


VARIANTS = {
    "Huber's error, score at a fifth": Variant(),
    "taught by alpha 1.0": Variant(taught=True),
    "whole photos": Variant(side=STANDARD.size),
    "squares of 224 pixels": Variant(side=224),
    "two scales, whole photos": Variant(side=STANDARD.size, scales=2),
    "squared error": Variant(loss_with(0.2, keras.ops.square)),
    "score as heavy as delta": Variant(loss_with(1.0)),
    "both of these": Variant(keras.losses.mean_squared_error),
    "these, and hard negatives classified, as trigger train": Variant(
        keras.losses.mean_squared_error, negatives=True
    ),
    "delta alone": Variant(loss_with(0.0)),
    "from scratch": Variant(start="random"),
    "from the packaged trunk": Variant(start="packaged"),
    "mean of that and the start": Variant(start="packaged", mean_of="from the packaged trunk"),
}


def trained(
    variant: Variant,
    init: str,
    batches: PhotoBatches,
    means: npt.NDArray[np.float32],
    epochs: int,
    out: Path,
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
            return with_auxiliary_heads(model, means), model, model
        return with_auxiliary_heads(model, means), model, build_trigger()

    return fitted(build, batches, variant.loss, LEARNING_RATE, epochs, out / "trigger.keras")


def teacher(init: str, batches: PhotoBatches, epochs: int, out: Path) -> keras.Model:
    """The larger network, trained on the same photos; read from ``out`` if that was done before."""

    def build() -> tuple[keras.Model, keras.Model, keras.Model]:
        model = build_teacher(CROP_SIDE)
        warm_start(model, init)
        return model, model, build_teacher(STANDARD.size)

    return fitted(
        build, batches, HUBER_AND_A_FIFTH, TEACHER_LEARNING_RATE, epochs, out / "teacher.keras"
    )


def fitted(
    build: Callable[[], tuple[keras.Model, keras.Model, keras.Model]],
    batches: PhotoBatches,
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
        fit(
            trained,
            batches,
            loss=loss,
            metrics=[],
            learning_rate=learning_rate,
            epochs=epochs,
            out=file.parent,
            finish=partial(save_whole, model, whole, file, {}),
            show_progress=True,
        )
    return load_network(file)


def folder_of(out: Path, variant: str) -> Path:
    """Where a variant is kept."""
    return out / variant.replace(",", "").replace(" ", "-")


def finetuned(
    network: keras.Model, rated: pd.DataFrame, photos: npt.NDArray[np.uint8]
) -> dict[str, float]:
    """AUC-PR on the scenes for choosing, of a head fitted to the others."""
    opinions = RatedPhotos(
        predict_in_slices(cut_trunk(network), photos).astype(np.float64),
        rated["rating"].to_numpy(np.float64),
        rated["weight"].to_numpy(np.float64),
        rated["scene"].to_numpy(str),
    )
    judged = for_choosing(rated["scene"])
    head = fit_best_head(opinions[~judged], read_head(network))
    scores = head.scores(opinions.features)
    phones = judged & (rated["raters"] == PHONES).to_numpy()
    return {
        f"auc_pr_{name}": float(average_precision_score(opinions.improvable[side], scores[side]))
        for name, side in zip(RATED, (judged, phones), strict=True)
    }


def for_choosing(scenes: pd.Series[str]) -> npt.NDArray[np.bool_]:
    """Which scenes variants are judged on."""
    return scenes.map(partial(is_held_out, fold=CHOOSING)).to_numpy(bool)


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
    for part in ("enhancer", "scorer"):
        parser.add_argument(f"--{part}", metavar="NAME", help="only labels of it, as in train")
    parser.add_argument("--share", type=float, default=0.25, help="of the training scenes")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("training-variants"))
    args = parser.parse_args()
    rated = read_rated(args.ratings)
    rated = rated[~rated["scene"].map(is_held_out)].reset_index(drop=True)
    if PHONES not in set(rated["raters"]):
        parser.error(f"{args.ratings}: holds no ratings of {PHONES}; derive them with --live")
    labels = read_labels(args.labels, enhancer=args.enhancer, scorer=args.scorer).reset_index(
        drop=True
    )
    labels = labels.join(origins_of(labels))
    make_folder(args.out)
    stamp, facts = args.out / "variants.json", {n: str(value) for n, value in vars(args).items()}
    for name, content in (
        ("labels", labels.to_csv().encode()),
        ("ratings", rated.to_csv().encode()),
        ("packaged trunk", PACKAGED_TRUNK.read_bytes()),
    ):
        facts[f"sha256 of {name}"] = hashlib.sha256(content).hexdigest()
    if stamp.exists() and json.loads(stamp.read_text()) != facts:
        parser.error(f"{args.out} holds variants of other options or data; give another --out")
    stamp.write_text(json.dumps(facts, indent=2))
    labels = labels[~labels["scene"].map(is_held_out)]
    judged = for_choosing(labels["scene"])
    scenes = labels.loc[~judged, "scene"].drop_duplicates().sample(frac=args.share, random_state=0)
    labels = labels[judged | labels["scene"].isin(scenes)].reset_index(drop=True)
    photos, rejected = preprocess_photos(
        list(labels["path"]),
        list(labels["photo"]),
        args.out / "photos.npy",
        "preprocessing",
        show_progress=True,
    )
    rated_pixels, unreadable = preprocess_photos(
        list(rated["path"]),
        list(rated["photo"]),
        args.out / "rated.npy",
        "rated photos",
        show_progress=True,
    )
    for row, reason in unreadable.items():
        raise DataError(f"{args.ratings}: {rated['path'][row]} cannot be read: {reason}")
    known = ~labels.index.isin(list(rejected))
    judged = for_choosing(labels["scene"])
    rows, unseen = np.flatnonzero(known & ~judged), np.flatnonzero(known & judged)
    targets = training_targets(labels)
    scene = labels["scene"].to_numpy(np.str_)
    predictions, areas = {}, {}
    for name, variant in VARIANTS.items():
        folder = folder_of(args.out, variant.mean_of or name)
        answers = targets[rows] if variant.negatives else targets[rows, :2]
        if variant.taught:
            batches = PhotoBatches(photos, rows, answers, BATCH_SIZE, 0, side=variant.side)
            large = teacher(args.teacher, batches, args.epochs, args.out / "teacher")
            answers = np.mean([answers, predict_in_slices(large, photos, rows)], axis=0)
            predictions[TEACHER] = predict_in_slices(large, photos, unseen)[:, 0]
        batches = PhotoBatches(photos, rows, answers, BATCH_SIZE, 0, side=variant.side)
        means = answers.mean(axis=0)
        network = trained(variant, args.init, batches, means, args.epochs, folder)
        if variant.mean_of:
            start = build_trigger()
            warm_start(start, variant.start)
            average(network, start.get_weights())
            features = predict_in_slices(cut_trunk(network), photos, rows)
            refit_head(network, features, targets[rows, 0], scene[rows])
        predictions[name] = predict_in_slices(network, photos, unseen)[:, 0]
        areas[name] = finetuned(network, rated, rated_pixels)
    (args.out / "photos.npy").unlink()
    (args.out / "rated.npy").unlink()
    found = compare(predictions, targets[unseen, 0], scene[unseen])
    for name, area in areas.items():
        found[name] |= area
    report = {"train": len(rows), "judged": len(unseen), "epochs": args.epochs, "variants": found}
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
    sys.exit(reported(main))
