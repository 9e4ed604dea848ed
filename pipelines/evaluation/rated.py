"""``trigger evaluate``: how good a model file is on rated photos."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold

from pipelines.data.available import leave_out_missing
from pipelines.data.splits import unseen
from pipelines.evaluation.metrics import (
    Values,
    agreement,
    compare_average_precision,
    few_scenes,
    interval,
    of_alerts,
    resample_scenes,
)
from pipelines.evaluation.thresholds import (
    Target,
    add_target_options,
    choose_threshold,
    find_threshold,
    target_of,
)
from pipelines.ratings.photos import MEND_RATED, read_rated
from pipelines.ratings.table import IMPROVABLE
from trigger.assessment import DEFAULT_THRESHOLD, Assessment, RejectedPhoto, Trigger
from trigger.cli.options import finite_number, positive_number
from trigger.console.progress import progress
from trigger.errors import DataError
from trigger.views import VIEWS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``trigger evaluate``."""
    parser.description = (
        "Score rated photos with a model and compare with what people said: average precision for "
        "'moderate improvement or better' with its bootstrap interval, rank correlation with the "
        "ratings, precision, recall and alert rate at the threshold. With a target, also another "
        "threshold that reaches it. Prints JSON; intervals are 95 % bootstrap intervals of scenes."
    )
    parser.epilog = "example: trigger evaluate ratings.csv --held-out --target-precision 0.9"
    parser.add_argument("ratings", type=Path, help="ratings CSV, raw or aggregated")
    parser.add_argument("--threshold", type=finite_number, default=DEFAULT_THRESHOLD)
    parser.add_argument("--model")
    parser.add_argument("--views", choices=VIEWS, default="whole")
    parser.add_argument("--workers", type=positive_number)
    add_target_options(parser)
    parser.add_argument(
        "--held-out",
        action="store_true",
        help="only photos that no training of ours has seen: neither their scene, nor the photo "
        "that they were made from",
    )


def run(args: argparse.Namespace) -> int:
    """Score, compare and print.

    Raises:
        DataError: the ratings cannot be used, or no threshold reaches the target; then the rest
            has been printed.
    """
    target = target_of(args)
    rated = read_rated(args.ratings)
    if args.held_out:
        rated = rated[unseen(rated)]
        if rated.empty:
            raise DataError(f"{args.ratings}: none of its scenes is held out; omit --held-out")
    results = Trigger(args.threshold, args.model, views=args.views).assess_all(
        rated["path"], workers=args.workers
    )
    assessed = list(progress(results, "scoring", total=len(rated)))
    broken = [(each.photo, each.message) for each in assessed if isinstance(each, RejectedPhoto)]
    leave_out_missing(args.ratings, broken, len(rated), MEND_RATED)
    rated = rated[~rated["path"].isin(path for path, _ in broken)]
    values = np.array([result.score for result in assessed if isinstance(result, Assessment)])
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
        "at_threshold": resampled_at_threshold(improvable, values, scenes, args.threshold),
    }
    out_of_reach = None
    if target:
        try:
            report["at_target"] = at_target(improvable, values, scenes, target)
        except DataError as error:
            report["at_target"], out_of_reach = None, error
    if note := few_scenes(report["scenes"]):
        print(note, file=sys.stderr)  # noqa: T201
    print(json.dumps(report, indent=2))  # noqa: T201
    if out_of_reach:
        raise out_of_reach
    return 0


def resampled_at_threshold(
    improvable: npt.NDArray[np.bool_],
    scores: Values,
    scenes: npt.NDArray[np.str_],
    threshold: float,
) -> dict[str, Any]:
    """Precision, recall and alert rate of ``score >= threshold``, each with its interval.

    Args:
        improvable: (n,) what people said.
        scores: (n,) scores of the same photos.
        scenes: (n,) scene of each; resampling draws whole scenes.
        threshold: from which on to alert.
    """
    alerts = scores >= threshold
    figures = of_alerts(improvable, alerts)
    samples: dict[str, list[float]] = {name: [] for name in figures}
    for weights in resample_scenes(scenes):
        drawn = np.repeat(np.arange(len(scores)), weights)
        for name, value in of_alerts(improvable[drawn], alerts[drawn]).items():
            if value is not None:
                samples[name].append(value)
    intervals = {f"{name}_interval": interval(np.array(samples[name])) for name in figures}
    return {"threshold": threshold, **figures, **intervals}


def at_target(
    improvable: npt.NDArray[np.bool_],
    scores: Values,
    scenes: npt.NDArray[np.str_],
    target: Target,
) -> dict[str, Any]:
    """The threshold that reaches a target on all photos, and the figures there.

    A threshold fits the photos that it was chosen on a little better than others. So
    ``cross_validated`` has the figures of five thresholds, each chosen on four fifths of the scenes
    and used on the rest; None with a single scene.

    Raises:
        DataError: no threshold reaches the target; the message says how far one comes.
    """
    threshold = choose_threshold(improvable, scores, target)
    return {
        "target": str(target),
        **resampled_at_threshold(improvable, scores, scenes, threshold),
        "cross_validated": _cross_validated(improvable, scores, scenes, target),
    }


def _cross_validated(
    improvable: npt.NDArray[np.bool_],
    scores: Values,
    scenes: npt.NDArray[np.str_],
    target: Target,
) -> dict[str, float | None] | None:
    folds = min(5, len(set(scenes)))
    if folds < 2:
        return None
    alerts = np.zeros(len(scores), bool)
    for train, test in GroupKFold(folds).split(scores, groups=scenes):
        threshold = find_threshold(improvable[train], scores[train], target)
        if threshold is not None:
            alerts[test] = scores[test] >= threshold
    return of_alerts(improvable, alerts)
