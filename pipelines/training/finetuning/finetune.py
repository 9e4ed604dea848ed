"""``trigger finetune``: fit the 113 head parameters to what people said."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from export.network import load_network
from pipelines.data.available import leave_out_missing
from pipelines.data.lock import working_in
from pipelines.data.splits import is_held_out, unseen
from pipelines.evaluation.thresholds import Target, add_target_options, choose_threshold, target_of
from pipelines.models.record import enhancer_of, read_record
from pipelines.ratings.photos import MEND_RATED, read_rated
from pipelines.ratings.table import IMPROVABLE, PERFECT
from pipelines.training import loop as fitting
from pipelines.training.finetuning.features import trunk_features
from pipelines.training.finetuning.head import (
    RatedPhotos,
    cross_validate,
    fit_head,
    freeze_trunk,
    read_head,
    tune,
    write_head,
)
from pipelines.training.finetuning.learning_curve import learning_curve
from pipelines.training.finetuning.page import finetune_page
from pipelines.training.finetuning.plots import draw_precision_recall
from pipelines.training.finetuning.report import make_report, summary
from pipelines.training.networks import cut_trunk, save_network
from trigger.assessment import DEFAULT_THRESHOLD
from trigger.cli.options import local_path
from trigger.errors import DataError
from trigger.files import write_atomically


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``trigger finetune``."""
    parser.description = (
        "Fit the head (113 parameters) of a trained network to human ratings: 2 significant "
        "improvement, 1 moderate, 0 neutral, -1 regressed. A fifth of the scenes is held out to "
        "compare baseline and fine-tuned; nested cross-validation compares them on all. Writes "
        "finetuned.keras, report.html, report.json, precision_recall.png, predictions.csv and "
        "features.npz, with which fine-tuning again takes seconds."
    )
    parser.epilog = (
        "example: trigger finetune baseline/baseline.keras ratings.csv --out finetuned "
        "--target-precision 0.8\n"
        "The CSV needs columns path and rating; see docs/annotation.md for the others. What "
        "'trigger ratings aggregate' writes is read, too."
    )
    parser.add_argument("model", type=Path, help=".keras file that 'trigger train' wrote")
    parser.add_argument("ratings", type=Path, help="ratings CSV, raw or aggregated")
    parser.add_argument("--out", type=local_path, required=True, help="folder for model and report")
    add_target_options(parser)
    parser.add_argument(
        "--force",
        action="store_true",
        help="accept ratings of another enhancer than that of the labels the model learned from",
    )


def run(args: argparse.Namespace) -> int:
    """Fine-tune and report."""
    target = target_of(args)
    fitting.keep_start(args.out, "the network", args.model)
    table = read_rated(args.ratings)
    model = load_network(args.model)
    record = read_record(args.model)
    if not args.force:
        check_enhancers(args.ratings, table["enhancer"], record)
    table["held_out"] = table["scene"].map(is_held_out)
    _check_split(args.ratings, table)
    if known := int((table["held_out"] & ~unseen(table)).sum()):
        sys.stderr.write(
            f"note: the ratings name scenes of their own, so {known} of "
            f"{int(table['held_out'].sum())} held-out photos may be among those that the model has "
            "been trained on; leave 'scene' empty where a photo has no better name\n"
        )
    with working_in(args.out):
        _finetune(model, record, table, target, args)
    return 0


def _finetune(
    model: keras.Model,
    record: dict[str, str],
    table: pd.DataFrame,
    target: Target | None,
    args: argparse.Namespace,
) -> None:
    count = freeze_trunk(model)
    print(f"trainable parameters: {count} of {model.count_params():,}")  # noqa: T201
    features, rejected = trunk_features(
        cut_trunk(model), list(table["path"]), list(table["photo"]), args.out / "features.npz"
    )
    if rejected:
        broken = [(path, rejected[path]) for path in table["path"] if path in rejected]
        leave_out_missing(args.ratings, broken, len(table), MEND_RATED)
        whole = ~table["path"].isin(rejected).to_numpy()
        features, table = features[whole], table[whole].reset_index(drop=True)
        _check_split(args.ratings, table)
    held_out = table["held_out"].to_numpy()
    rated = RatedPhotos(
        features,
        table["rating"].to_numpy(np.float64),
        table["weight"].to_numpy(np.float64),
        table["scene"].to_numpy(str),
    )
    train, test = rated[~held_out], rated[held_out]
    baseline = read_head(model)
    tuning = tune(train, baseline)
    threshold, out_of_reach = DEFAULT_THRESHOLD, None
    if target:
        try:
            threshold = choose_threshold(train.improvable, tuning.scores, target)
        except DataError as error:
            target, out_of_reach = None, error
    head = fit_head(train, baseline, tuning.ridge)
    write_head(model, head)
    save_network(model, args.out / "finetuned.keras", record)

    crossed = cross_validate(rated, baseline, target)
    table["baseline"] = baseline.scores(features)
    table["fine-tuned"] = head.scores(features)
    table["cross-validated"] = crossed.scores
    table["alert"] = crossed.alerts
    write_atomically(args.out / "predictions.csv", table.to_csv(index=False).encode())
    report = {
        "trainable_parameters": count,
        "ridge": tuning.ridge,
        "labels": record,
        "enhancers": dict(Counter(table["enhancer"])),
        **make_report(table, threshold, target, learning_curve(train, test, baseline)),
    }
    write_atomically(args.out / "report.json", json.dumps(report, indent=2).encode())
    held = table[held_out]
    curve = draw_precision_recall(
        test.improvable,
        {name: held[name].to_numpy() for name in ("baseline", "fine-tuned")},
        report["held_out"],
    )
    write_atomically(args.out / "precision_recall.png", curve)
    write_atomically(args.out / "report.html", finetune_page(table, report).encode())
    print(summary(report))  # noqa: T201
    print(f"look at {args.out / 'report.html'}")  # noqa: T201
    if out_of_reach:
        raise DataError(f"{out_of_reach}. All else is written, with the threshold {threshold:g}")


def check_enhancers(path: Path, rated: Iterable[str], record: Mapping[str, str]) -> None:
    """Refuse ratings of another enhancer than the one whose gains the model has learned.

    Ratings that name no enhancer are taken on trust. So are derived ones, which name the perfect
    enhancer: they stand in for ratings until there are some.

    Args:
        path: of the ratings, for messages.
        rated: "name-version" or "name" of each rated photo; "" unknown.
        record: of the model; empty where it does not say.

    Raises:
        DataError: another enhancer is among them.
    """
    if "enhancer" not in record:
        sys.stderr.write("the model does not say which enhancer its labels were made with\n")
        return
    labelled = enhancer_of(record)
    same = {"", PERFECT, labelled, record["enhancer"]}
    others = Counter(name for name in rated if name not in same)
    if others:
        listed = ", ".join(f"{count} of {name!r}" for name, count in others.most_common())
        raise DataError(
            f"{path}: holds ratings {listed}, but the model learned from labels of "
            f"{labelled!r}: what one enhancer gains says little of another. Label and train with "
            f"the enhancer that was rated, or accept them with --force"
        )


def _check_split(path: Path, table: pd.DataFrame) -> None:
    for side, held_out in (("training", False), ("held-out", True)):
        rows = table[table["held_out"] == held_out]
        improvable = int((rows["rating"] >= IMPROVABLE).sum())
        if not 0 < improvable < len(rows):
            raise DataError(
                f"{path}: of {len(rows)} {side} photos {improvable} are improvable (mean "
                f"rating >= {IMPROVABLE}); both sorts are needed on both sides of the split by "
                f"scene: rate more photos of more scenes"
            )
