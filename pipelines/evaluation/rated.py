"""Evaluate a model file on rated photos."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
from msgspec import UNSET, UnsetType
from sklearn.model_selection import GroupKFold

from pipelines.data.available import report_missing
from pipelines.data.splits import unseen
from pipelines.evaluation.metrics import (
    Values,
    agreement,
    alert_figures,
    compare_average_precision,
    few_scenes,
    interval,
    resample_scenes,
)
from pipelines.evaluation.records import (
    Alerts,
    AlertsAtTarget,
    AlertsWithIntervals,
    EvaluationReport,
)
from pipelines.evaluation.thresholds import Target, choose_threshold, find_threshold
from pipelines.ratings.photos import RATED_REMEDY, read_rated
from pipelines.ratings.table import IMPROVABLE
from trigger.assessment import DEFAULT_THRESHOLD, Assessment, RejectedPhoto, Trigger
from trigger.console.progress import progress
from trigger.errors import DataError
from trigger.model import Model


@dataclass(frozen=True)
class Evaluation:
    """What ``evaluate`` measured.

    Attributes:
        report: prevalence, average precision, agreement and figures at the threshold.
        note: a warning about the number of scenes, or "".
        out_of_reach: why no threshold reaches the target, if none does.
    """

    report: EvaluationReport
    note: str = ""
    out_of_reach: DataError | None = None


def evaluate(
    ratings: Path,
    model: Model | str | Path | None = None,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    views: str = "whole",
    target: Target | None = None,
    held_out: bool = False,
    workers: int | None = None,
    show_progress: bool = False,
) -> Evaluation:
    """Score rated photos with a model, and compare the scores with the ratings.

    Args:
        ratings: CSV of ratings, raw or aggregated.
        model: a model, or its .tflite file; the packaged model by default.
        threshold: score from which on to alert.
        views: what the model sees of a photo, see ``trigger.views``.
        target: also choose a threshold that reaches this.
        held_out: use only photos that no training of this project has seen: neither their scene,
            nor the photo that they were made from.
        workers: photos processed at a time.
        show_progress: show a progress bar.

    Raises:
        DataError: the ratings cannot be used, or are all improvable or none.
        ModelError: the model cannot be loaded.

    Example:
        >>> evaluate(Path("ratings.csv"), held_out=True).report.prevalence  # doctest: +SKIP
        0.31
    """
    rated = read_rated(ratings)
    if held_out:
        rated = rated[unseen(rated)]
        if rated.empty:
            raise DataError(f"{ratings}: none of its scenes is held out; omit --held-out")
    trigger = Trigger(threshold, model, views=views)
    results = trigger.assess_all(rated["path"], workers=workers)
    assessed = list(progress(results, "scoring", total=len(rated), shown=show_progress))
    broken = [(each.photo, each.message) for each in assessed if isinstance(each, RejectedPhoto)]
    report_missing(ratings, broken, len(rated), RATED_REMEDY)
    rated = rated[~rated["path"].isin(path for path, _ in broken)]
    scores = np.array([result.score for result in assessed if isinstance(result, Assessment)])
    improvable = rated["rating"].to_numpy() >= IMPROVABLE
    if not 0 < improvable.sum() < len(improvable):
        raise DataError(
            f"{ratings}: {int(improvable.sum())} of {len(improvable)} photos are improvable; "
            f"average precision needs both kinds"
        )
    scenes = rated["scene"].to_numpy(str)
    compared = compare_average_precision(improvable, {"model": scores}, scenes)
    reached: AlertsAtTarget | UnsetType | None = UNSET
    out_of_reach = None
    if target:
        try:
            reached = at_target(improvable, scores, scenes, target)
        except DataError as error:
            reached, out_of_reach = None, error
    report = EvaluationReport(
        **vars(compared),
        rating_agreement=agreement(scores, rated["rating"].to_numpy()),
        at_threshold=resampled_at_threshold(improvable, scores, scenes, threshold),
        at_target=reached,
    )
    return Evaluation(report, few_scenes(report.scenes), out_of_reach)


def resampled_at_threshold(
    improvable: npt.NDArray[np.bool_],
    scores: Values,
    scenes: npt.NDArray[np.str_],
    threshold: float,
) -> AlertsWithIntervals:
    """Measure precision, recall and alert rate of ``score >= threshold``, with intervals.

    Args:
        improvable: (n,) whether people called each photo moderately improved or better.
        scores: (n,) scores of the same photos.
        scenes: (n,) scene of each; resampling draws whole scenes.
        threshold: score from which on to alert.
    """
    alerts = scores >= threshold
    samples: dict[str, list[float]] = {field.name: [] for field in fields(Alerts)}
    for weights in resample_scenes(scenes):
        drawn = np.repeat(np.arange(len(scores)), weights)
        for name, value in vars(alert_figures(improvable[drawn], alerts[drawn])).items():
            if value is not None:
                samples[name].append(value)
    figures = alert_figures(improvable, alerts)
    return AlertsWithIntervals(
        threshold,
        **vars(figures),
        precision_interval=interval(np.array(samples["precision"])),
        recall_interval=interval(np.array(samples["recall"])),
        alert_rate_interval=interval(np.array(samples["alert_rate"])),
    )


def at_target(
    improvable: npt.NDArray[np.bool_],
    scores: Values,
    scenes: npt.NDArray[np.str_],
    target: Target,
) -> AlertsAtTarget:
    """Choose the threshold that reaches a target on all photos, and measure there.

    A threshold fits the photos on which it was chosen slightly better than others. Therefore
    ``cross_validated`` has the figures of five thresholds, each chosen on four fifths of the scenes
    and used on the rest; None with a single scene.

    Raises:
        DataError: no threshold reaches the target; the message names the best value possible.
    """
    threshold = choose_threshold(improvable, scores, target)
    return AlertsAtTarget(
        **vars(resampled_at_threshold(improvable, scores, scenes, threshold)),
        target=str(target),
        cross_validated=_cross_validated(improvable, scores, scenes, target),
    )


def _cross_validated(
    improvable: npt.NDArray[np.bool_],
    scores: Values,
    scenes: npt.NDArray[np.str_],
    target: Target,
) -> Alerts | None:
    folds = min(5, len(set(scenes)))
    if folds < 2:
        return None
    alerts = np.zeros(len(scores), bool)
    for train, test in GroupKFold(folds).split(scores, groups=scenes):
        threshold = find_threshold(improvable[train], scores[train], target)
        if threshold is not None:
            alerts[test] = scores[test] >= threshold
    return alert_figures(improvable, alerts)
