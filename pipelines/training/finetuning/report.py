"""What fine-tuning gained, in figures: report.json and the lines for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from pipelines.evaluation.calibration import calibrate
from pipelines.evaluation.metrics import (
    agreement,
    at_threshold,
    compare_average_precision,
    few_scenes,
    of_alerts,
)
from pipelines.evaluation.thresholds import Target
from pipelines.ratings.table import IMPROVABLE
from pipelines.training.finetuning.learning_curve import Point


def make_report(
    table: pd.DataFrame, threshold: float, target: Target | None, curve: Sequence[Point]
) -> dict[str, Any]:
    """Baseline and fine-tuned on held-out scenes, and on all by nested cross-validation.

    Both are given again for the photos of each rater, where there are several and one rated both
    sorts.

    Args:
        table: a row per rated photo: rating, opinions, raters, scene, held_out; scores
            ``baseline``, ``fine-tuned`` and ``cross-validated``; ``alert`` by the threshold that
            was chosen without the photo's fold.
        threshold: chosen on the training scenes.
        target: what it was to reach; None: it is the default.
        curve: the learning curve.
    """
    test = table[table["held_out"]]
    improvable = (table["rating"] >= IMPROVABLE).to_numpy()
    return {
        "photos": {"train": len(table) - len(test), "held_out": len(test)},
        "opinions": int(table["opinions"].sum()),
        "held_out": _compare(test, "fine-tuned"),
        "cross_validated": _compare(table, "cross-validated"),
        "by_rater": _by_rater(table),
        "rating_agreement_held_out": {
            name: agreement(test[name].to_numpy(), test["rating"].to_numpy())
            for name in ("baseline", "fine-tuned")
        },
        "threshold": {
            "value": threshold,
            "target": str(target) if target else None,
            "cross_validated": of_alerts(improvable, table["alert"].to_numpy()),
        },
        "at_threshold_held_out": at_threshold(
            (test["rating"] >= IMPROVABLE).to_numpy(), test["fine-tuned"].to_numpy(), threshold
        ),
        "learning_curve": [asdict(point) for point in curve],
        "calibration_cross_validated": [
            asdict(entry)
            for entry in calibrate(
                table["rating"].to_numpy(np.float64),
                table["cross-validated"].to_numpy(),
                table["scene"].to_numpy(str),
            )
        ],
    }


def summary(report: dict[str, Any]) -> str:
    """The comparisons as a few lines of text."""
    lines = []
    for title in ("held_out", "cross_validated"):
        figures = report[title]
        lines.append(
            f"{title.replace('_', ' ')}: {figures['n']} photos of {figures['scenes']} scenes, "
            f"prevalence {figures['prevalence']:.3f} (what random scores reach)"
        )
        for name, entry in figures["scores"].items():
            lines.append(f"{name:>12}: AUC-PR {entry['auc_pr']:.3f}  {_show(entry['interval'])}")
            if "gain" in entry:
                gain = _show(entry["gain_interval"], "+")
                lines.append(f"{'gain':>12}: {entry['gain']:+.3f}  {gain}")
    lines += [note] if (note := too_few(report)) else []
    if report["cross_validated"]["scores"]["fine-tuned"]["gain"] <= 0:
        lines.append("fine-tuning did not help: go on with the baseline, or rate more photos")
    threshold = report["threshold"]
    lines.append(f"threshold {threshold['value']:.3f} ({threshold['target'] or 'the default'}):")
    for title, alerts in (
        ("held out", report["at_threshold_held_out"]),
        ("cross-validated", threshold["cross_validated"]),
    ):
        shares = [
            f"{name.replace('_', ' ')} {share(alerts[name])}"
            for name in ("precision", "recall", "alert_rate")
        ]
        lines.append(f"{title:>16}: {', '.join(shares)}")
    return "\n".join(lines)


def too_few(report: dict[str, Any]) -> str:
    """A warning where hardly any scenes are held out; else nothing."""
    note = few_scenes(report["held_out"]["scenes"])
    return note and f"Held out: {note}"


def share(value: float | None) -> str:
    """A share for people to read."""
    return "undefined" if value is None else f"{value:.1%}"


def _by_rater(table: pd.DataFrame) -> dict[str, Any]:
    names = table["raters"].map(lambda raters: set(filter(None, raters.split(" + "))))
    raters = sorted(set().union(*names))
    if len(raters) < 2:
        return {}
    report = {}
    for rater in raters:
        rows = table[[rater in given for given in names]]
        report[rater] = {
            "held_out": _compare(rows[rows["held_out"]], "fine-tuned"),
            "cross_validated": _compare(rows, "cross-validated"),
        }
    return report


def _compare(rated: pd.DataFrame, column: str) -> dict[str, Any] | None:
    improvable = (rated["rating"] >= IMPROVABLE).to_numpy()
    if not 0 < improvable.sum() < len(improvable):
        return None  # average precision needs both sorts
    scores = {"baseline": rated["baseline"].to_numpy(), "fine-tuned": rated[column].to_numpy()}
    return compare_average_precision(improvable, scores, rated["scene"].to_numpy(str))


def _show(bounds: list[float] | None, sign: str = "") -> str:
    if bounds is None:
        return "[undefined]"
    return f"[{bounds[0]:{sign}.3f}, {bounds[1]:{sign}.3f}]"
