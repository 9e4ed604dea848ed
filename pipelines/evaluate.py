"""``trigger evaluate``: how good a model file is on rated photos."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from annotation.ratings import IMPROVABLE, mean_ratings, read_ratings
from pipelines.metrics import agreement, at_threshold, compare_average_precision
from pipelines.splits import is_held_out
from trigger.assessment import DEFAULT_THRESHOLD, Assessment, Trigger
from trigger.errors import DataError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``trigger evaluate``."""
    parser.description = (
        "Score rated photos with a model and compare with what people said: average precision for "
        "'moderate improvement or better' with its bootstrap interval, rank correlation with the "
        "ratings, precision, recall and alert rate at the threshold. Prints JSON."
    )
    parser.epilog = "example: trigger evaluate ratings.csv --model trigger.tflite --held-out"
    parser.add_argument("ratings", type=Path, help="ratings CSV")
    parser.add_argument("--model", type=Path, help=".tflite file (default: the packaged model)")
    parser.add_argument("--threshold", type=float, default=DEFAULT_THRESHOLD)
    parser.add_argument(
        "--held-out", action="store_true", help="only scenes that no training of ours has seen"
    )


def run(args: argparse.Namespace) -> int:
    """Score, compare and print."""
    rated = mean_ratings(read_ratings(args.ratings))
    if args.held_out:
        rated = rated[rated["scene"].map(is_held_out)]
        if rated.empty:
            raise DataError(f"{args.ratings}: none of its scenes is held out; omit --held-out")
    trigger = Trigger(threshold=args.threshold, model=args.model)
    scores = []
    for path, result in zip(rated["path"], trigger.assess_all(rated["path"]), strict=True):
        if not isinstance(result, Assessment):
            raise DataError(f"{args.ratings}: rated photo {path} cannot be read: {result}")
        scores.append(result.score)
    values = np.array(scores)
    improvable = rated["rating"].to_numpy() >= IMPROVABLE
    if not 0 < improvable.sum() < len(improvable):
        raise DataError(
            f"{args.ratings}: {int(improvable.sum())} of {len(improvable)} photos are improvable; "
            f"average precision needs both sorts"
        )
    scenes = rated["scene"].to_numpy(str)
    report = {
        **compare_average_precision(improvable, {"model": values}, scenes),
        "rating_agreement": agreement(values, rated["rating"].to_numpy()),
        "at_threshold": at_threshold(improvable, values, args.threshold),
    }
    print(json.dumps(report, indent=2))  # noqa: T201
    return 0
