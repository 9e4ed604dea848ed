"""Render the report of a fine-tuning as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.evaluation.metrics import at_threshold
from pipelines.evaluation.records import Alerts, AlertsAtThreshold, Interval
from pipelines.evaluation.thresholds import Measure, Target, find_threshold
from pipelines.models.record import enhancer_of
from pipelines.ratings.table import IMPROVABLE
from pipelines.training.finetuning.plots import (
    draw_learning_curve,
    draw_precision_recall,
    draw_probability,
    draw_ratings,
    draw_thresholds,
)
from pipelines.training.finetuning.report import FineTuningReport, share
from trigger.assessment import DEFAULT_THRESHOLD
from trigger.errors import PhotoError
from trigger.pages import Picture, embed, render
from trigger.photo import read_photo
from trigger.photo.encode import jpeg_bytes

TARGETS: tuple[tuple[Measure, tuple[float, ...]], ...] = (
    ("precision", (0.5, 0.6, 0.7, 0.8, 0.9)),
    ("recall", (0.5, 0.7, 0.9)),
    ("alert_rate", (0.05, 0.1, 0.2)),
)
MISTAKES = 9
PICTURE_SIDE = 360
"""Longest side of a picture, in pixels."""

Row = tuple[object, ...]


@dataclass(frozen=True)
class _Photo:
    """A photo that the model is wrong about, or the problem that keeps it from the page."""

    path: str
    score: float
    rating: float
    opinions: int
    picture: Picture | None
    problem: str = ""


@dataclass(frozen=True)
class _Mistakes:
    """Mistakes of one sort: how many, and the worst of them."""

    count: int
    worst: list[_Photo]


def finetune_page(rated: pd.DataFrame, report: FineTuningReport) -> str:
    """Return the page, as HTML with everything it shows inside.

    Args:
        rated: as ``make_report`` takes it, with path and enhancer.
        report: what ``make_report`` returned.
    """
    improvable, scores = _improvable(rated), rated["cross-validated"].to_numpy()
    threshold = report.threshold.value
    points, bins = report.learning_curve, report.calibration_cross_validated
    comparison, curves = _before_after(rated, report)
    false_alerts, missed = _mistakes(rated)
    return render(
        "finetuning_report.html.j2",
        parameters=report.trainable_parameters,
        improvable=IMPROVABLE,
        overview=_overview(report),
        warning=report.few_scenes_note,
        comparison=comparison,
        curves=curves,
        learning=[
            (p.ratings, f"{p.scenes:.0f}", p.draws, f"{p.mean:.3f}", f"{p.spread:.3f}")
            for p in points
        ],
        learning_curve=embed(
            draw_learning_curve(points, report.held_out.scores["baseline"].auc_pr)
        ),
        ratings=embed(draw_ratings(bins)),
        chances=embed(draw_probability(bins, threshold)),
        threshold=threshold,
        target=report.threshold.target,
        measured=_measured(report),
        targets=_targets(improvable, scores),
        thresholds=embed(draw_thresholds(improvable, scores, threshold)),
        false_alerts=false_alerts,
        missed=missed,
        provenance=_provenance(report),
    )


def _overview(report: FineTuningReport) -> dict[str, object]:
    held_out = report.held_out.scores
    return {
        "rated photos": report.photos.train + report.photos.held_out,
        "opinions": report.opinions,
        "AUC-PR, baseline": f"{held_out['baseline'].auc_pr:.3f}",
        "AUC-PR, fine-tuned": f"{held_out['fine-tuned'].auc_pr:.3f}",
        "threshold": f"{report.threshold.value:.3g}",
    }


def _before_after(
    rated: pd.DataFrame, report: FineTuningReport
) -> tuple[list[Row], dict[str, Picture]]:
    """Rows and curves that compare baseline and fine-tuned, by the photos they are of."""
    held_out = rated[rated["held_out"]]
    sides = (
        ("held-out scenes", held_out, "fine-tuned", report.held_out),
        ("all scenes, cross-validated", rated, "cross-validated", report.cross_validated),
    )
    rows: list[Row] = []
    curves = {}
    for title, photos, column, figures in sides:
        for name, entry in figures.scores.items():
            gain = ""
            if isinstance(entry.gain, float):
                gain = f"{entry.gain:+.3f}{_between(entry.gain_interval or None, '+')}"
            rows.append(
                (
                    *(title, figures.n, figures.scenes, f"{figures.prevalence:.3f}"),
                    *(name, f"{entry.auc_pr:.3f}{_between(entry.interval)}", gain),
                )
            )
        scores = {"baseline": photos["baseline"], "fine-tuned": photos[column]}
        curve = draw_precision_recall(
            _improvable(photos), {name: s.to_numpy() for name, s in scores.items()}, figures
        )
        curves[title] = embed(curve)
    return rows, curves


def _measured(report: FineTuningReport) -> list[Row]:
    """What the model's own threshold gives."""
    held_out, chosen = report.at_threshold_held_out, report.threshold
    fixed = None if chosen.target else DEFAULT_THRESHOLD
    return [
        _alerts_row("held-out scenes", held_out, held_out.threshold),
        _alerts_row("all scenes, cross-validated", chosen.cross_validated, fixed),
    ]


def _targets(improvable: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating]) -> list[Row]:
    """What other thresholds give."""

    def row(title: str, threshold: float) -> Row:
        return _alerts_row(title, at_threshold(improvable, scores, threshold), threshold)

    rows = [row("default", DEFAULT_THRESHOLD)]
    for figure, values in TARGETS:
        for value in values:
            target = Target(figure, value)
            threshold = find_threshold(improvable, scores, target)
            if threshold is None:
                rows.append((str(target), "not reached", "", "", ""))
            else:
                rows.append(row(str(target), threshold))
    return rows


def _alerts_row(title: str, figures: Alerts | AlertsAtThreshold, threshold: float | None) -> Row:
    shares = [share(value) for value in (figures.precision, figures.recall, figures.alert_rate)]
    return (title, "one per fold" if threshold is None else f"{threshold:.3f}", *shares)


def _mistakes(rated: pd.DataFrame) -> tuple[_Mistakes, _Mistakes]:
    """False alerts and missed improvable photos, the worst of each scene first."""
    improvable, alert = _improvable(rated), rated["alert"].to_numpy()
    return (
        _worst(rated[alert & ~improvable], ascending=False),
        _worst(rated[~alert & improvable], ascending=True),
    )


def _worst(photos: pd.DataFrame, *, ascending: bool) -> _Mistakes:
    worst = photos.sort_values(["cross-validated", "photo"], ascending=[ascending, True])
    shown = worst.drop_duplicates("scene").head(MISTAKES)
    return _Mistakes(len(photos), [_photo(row) for row in shown.to_dict("records")])


def _photo(row: Mapping[Any, Any]) -> _Photo:
    picture, problem = None, ""
    try:
        photo = read_photo(row["path"], at_least=PICTURE_SIDE).image
        photo.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
        picture = embed(jpeg_bytes(photo, quality=85))
    except PhotoError as error:
        problem = error.message
    score, rating = row["cross-validated"], row["rating"]
    return _Photo(row["path"], score, rating, row["opinions"], picture, problem)


def _provenance(report: FineTuningReport) -> dict[str, object]:
    rated = ", ".join(f"{name or 'unknown'} ({n})" for name, n in report.enhancers.items())
    return {
        "ratings of the enhancer": rated,
        "model learned from labels of": enhancer_of(report.labels) or "unknown",
        "ridge": f"{report.ridge:g}",
        "parameters fitted": report.trainable_parameters,
    }


def _improvable(rated: pd.DataFrame) -> npt.NDArray[np.bool_]:
    return (rated["rating"] >= IMPROVABLE).to_numpy()


def _between(interval: Interval | None, sign: str = "") -> str:
    return "" if interval is None else f" ({interval[0]:{sign}.3f} to {interval[1]:{sign}.3f})"
