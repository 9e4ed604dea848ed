"""The report of a fine-tuning: baseline and fine-tuned model compared on rated photos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.evaluation.calibration import Bin, calibrate
from pipelines.evaluation.metrics import (
    agreement,
    alert_figures,
    at_threshold,
    compare_average_precision,
    few_scenes,
)
from pipelines.evaluation.records import (
    Agreement,
    Alerts,
    AlertsAtThreshold,
    Comparison,
    Interval,
)
from pipelines.evaluation.thresholds import Target
from pipelines.ratings.table import IMPROVABLE
from pipelines.training.finetuning.learning_curve import Point


@dataclass(frozen=True)
class PhotoCounts:
    """How many rated photos were used for training, and how many were held out."""

    train: int
    held_out: int


@dataclass(frozen=True)
class RaterComparison:
    """Baseline and fine-tuned on the photos of one rater.

    None where all of them are improvable, or none: average precision needs both.
    """

    held_out: Comparison | None
    cross_validated: Comparison | None


@dataclass(frozen=True)
class ChosenThreshold:
    """The threshold of the fine-tuned model.

    Attributes:
        value: the threshold.
        target: what it was chosen to reach, such as "recall of at least 0.9"; None: the default.
        cross_validated: decisions by the thresholds of five folds, each chosen on the other four.
    """

    value: float
    target: str | None
    cross_validated: Alerts


@dataclass(frozen=True)
class FineTuningReport:
    """What ``report.json`` holds.

    Attributes:
        trainable_parameters: parameters that were fitted.
        ridge: regularization strength that cross-validation chose.
        labels: enhancer and scorer of the labels that the baseline learned from.
        enhancers: number of rated photos by the enhancer that was rated.
        photos: number of rated photos on each side of the split by scene.
        opinions: number of ratings.
        held_out: comparison on the held-out scenes.
        cross_validated: comparison on all scenes, by nested cross-validation.
        by_rater: the same for the photos of each rater, where there are several.
        rating_agreement_held_out: correlation of scores with mean ratings, by model.
        threshold: of the fine-tuned model.
        at_threshold_held_out: decisions on the held-out scenes by that threshold.
        learning_curve: average precision by number of rated photos.
        calibration_cross_validated: mean rating by cross-validated score.
    """

    trainable_parameters: int
    ridge: float
    labels: dict[str, str]
    enhancers: dict[str, int]
    photos: PhotoCounts
    opinions: int
    held_out: Comparison
    cross_validated: Comparison
    by_rater: dict[str, RaterComparison]
    rating_agreement_held_out: dict[str, Agreement]
    threshold: ChosenThreshold
    at_threshold_held_out: AlertsAtThreshold
    learning_curve: list[Point]
    calibration_cross_validated: list[Bin]

    @property
    def few_scenes_note(self) -> str:
        """A warning where hardly any scenes are held out; else empty."""
        note = few_scenes(self.held_out.scenes)
        return note and f"Held out: {note}"


def make_report(
    table: pd.DataFrame,
    *,
    trainable_parameters: int,
    ridge: float,
    labels: Mapping[str, str],
    threshold: float,
    target: Target | None,
    curve: Sequence[Point],
) -> FineTuningReport:
    """Compare baseline and fine-tuned on held-out scenes, and on all by cross-validation.

    Args:
        table: a row per rated photo: rating, opinions, raters, enhancer, scene, held_out; scores
            ``baseline``, ``fine-tuned`` and ``cross-validated``; ``alert`` by the threshold that
            was chosen without the photo's fold. Both sides hold improvable photos and others.
        trainable_parameters: parameters that were fitted.
        ridge: regularization strength.
        labels: enhancer and scorer of the baseline's labels.
        threshold: chosen on the training scenes.
        target: what it was chosen to reach; None: it is the default.
        curve: the learning curve.
    """
    test = table[table["held_out"]]
    improvable = (table["rating"] >= IMPROVABLE).to_numpy()
    held_out, crossed = _compare(test, "fine-tuned"), _compare(table, "cross-validated")
    assert held_out is not None
    assert crossed is not None
    at_held_out = at_threshold(
        (test["rating"] >= IMPROVABLE).to_numpy(), test["fine-tuned"].to_numpy(), threshold
    )
    return FineTuningReport(
        trainable_parameters=trainable_parameters,
        ridge=ridge,
        labels=dict(labels),
        enhancers=dict(Counter(table["enhancer"])),
        photos=PhotoCounts(len(table) - len(test), len(test)),
        opinions=int(table["opinions"].sum()),
        held_out=held_out,
        cross_validated=crossed,
        by_rater=_by_rater(table),
        rating_agreement_held_out={
            name: agreement(test[name].to_numpy(), test["rating"].to_numpy())
            for name in ("baseline", "fine-tuned")
        },
        threshold=ChosenThreshold(
            threshold,
            str(target) if target else None,
            alert_figures(improvable, table["alert"].to_numpy()),
        ),
        at_threshold_held_out=at_held_out,
        learning_curve=list(curve),
        calibration_cross_validated=calibrate(
            table["rating"].to_numpy(np.float64),
            table["cross-validated"].to_numpy(),
            table["scene"].to_numpy(str),
        ),
    )


def summary(report: FineTuningReport) -> str:
    """The comparisons as a few lines of text."""
    lines = []
    for title, figures in (
        ("held out", report.held_out),
        ("cross validated", report.cross_validated),
    ):
        lines.append(
            f"{title}: {figures.n} photos of {figures.scenes} scenes, "
            f"prevalence {figures.prevalence:.3f} (what random scores reach)"
        )
        for name, entry in figures.scores.items():
            lines.append(f"{name:>12}: AUC-PR {entry.auc_pr:.3f}  {_show(entry.interval)}")
            if isinstance(entry.gain, float):
                gain = _show(entry.gain_interval or None, "+")
                lines.append(f"{'gain':>12}: {entry.gain:+.3f}  {gain}")
    lines += [report.few_scenes_note] if report.few_scenes_note else []
    gain_of_all = report.cross_validated.scores["fine-tuned"].gain
    if isinstance(gain_of_all, float) and gain_of_all <= 0:
        lines.append("fine-tuning did not help: keep the baseline, or rate more photos")
    threshold = report.threshold
    lines.append(f"threshold {threshold.value:.3f} ({threshold.target or 'the default'}):")
    for title, alerts in (
        ("held out", report.at_threshold_held_out),
        ("cross-validated", threshold.cross_validated),
    ):
        shares = {
            "precision": alerts.precision,
            "recall": alerts.recall,
            "alert rate": alerts.alert_rate,
        }
        shown = ", ".join(f"{name} {share(value)}" for name, value in shares.items())
        lines.append(f"{title:>16}: {shown}")
    return "\n".join(lines)


def share(value: float | None) -> str:
    """Show a share as a percentage."""
    return "undefined" if value is None else f"{value:.1%}"


def _by_rater(table: pd.DataFrame) -> dict[str, RaterComparison]:
    names = table["raters"].map(lambda raters: set(filter(None, raters.split(" + "))))
    raters = sorted(set().union(*names))
    if len(raters) < 2:
        return {}
    report = {}
    for rater in raters:
        rows = table[[rater in given for given in names]]
        report[rater] = RaterComparison(
            _compare(rows[rows["held_out"]], "fine-tuned"), _compare(rows, "cross-validated")
        )
    return report


def _compare(rated: pd.DataFrame, column: str) -> Comparison | None:
    improvable = (rated["rating"] >= IMPROVABLE).to_numpy()
    if not 0 < improvable.sum() < len(improvable):
        return None  # average precision needs both
    scores = {"baseline": rated["baseline"].to_numpy(), "fine-tuned": rated[column].to_numpy()}
    return compare_average_precision(improvable, scores, rated["scene"].to_numpy(str))


def _show(bounds: Interval | None, sign: str = "") -> str:
    if bounds is None:
        return "[undefined]"
    return f"[{bounds[0]:{sign}.3f}, {bounds[1]:{sign}.3f}]"
