"""Figures of methods that turn photos into numbers, side by side: what ``quality.py`` prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from camera import CAMERA
from pipelines.degradation.hard_negatives import HARD_NEGATIVES
from pipelines.evaluation.metrics import MIN_SCENES, Ranked, interval, resample_scenes
from pipelines.evaluation.records import Interval
from trigger.assessment import DEFAULT_THRESHOLD

OURS = "trigger"
PAIRS = ("noise 10", "noise 25", "Gaussian 1.5 px", "motion 9 px", "JPEG q30", "JPEG q10")
WORSE = (*PAIRS, *CAMERA)


@dataclass(frozen=True)
class Row:
    """One photo with its known facts and the score of every method.

    Attributes:
        group: which set it belongs to, or for pairs the degradation ("clean" for the original) or
            the kind of hard negative.
        scene: hash of the original photo.
        damage: how bad people find it, in any unit; NaN for pairs.
        improvable: people would rate a perfect enhancer "moderate improvement" or better.
        scores: method to number.
    """

    group: str
    scene: str
    damage: float
    improvable: bool
    scores: dict[str, float]


def table(rows: list[Row]) -> dict[str, dict[str, Any]]:
    """Measure to n, scenes, prevalence and per method the value with its interval."""
    report: dict[str, dict[str, Any]] = {}
    for group in ("LIVE Challenge", "TID2013"):
        chosen = [row for row in rows if row.group == group]
        report[f"{group}: Spearman with human damage"] = _summary(chosen, _spearman)
        report[f"{group}: AUC-PR of improvable"] = _summary(chosen, _average_precision)
    for kind in WORSE:
        chosen = [row for row in rows if row.group in (kind, "clean")]
        report[f"{kind} above clean twin"] = _summary(chosen, _ordered)
    for negative in HARD_NEGATIVES:
        chosen = [row for row in rows if row.group in (negative, *PAIRS)]
        report[f"degraded above {negative} of the same scene"] = _summary(chosen, _ordered)
    return report


def alerts(rows: list[Row]) -> dict[str, float]:
    """Share of the photos of each group on which the trigger alerts at its usual threshold."""
    scores: dict[str, list[float]] = {}
    for row in rows:
        scores.setdefault(row.group, []).append(row.scores[OURS])
    return {
        group: float(np.mean(np.array(values) >= DEFAULT_THRESHOLD))
        for group, values in scores.items()
    }


Values = npt.NDArray[np.float64]
Weights = npt.NDArray[np.int_]
Measure = Callable[[list[Row], Values], Callable[[Weights], float]]
"""From rows and the (n,) scores of a method to its figure for any (n,) weights of the rows."""


def _summary(rows: list[Row], measure: Measure) -> dict[str, Any]:
    scenes = np.array([row.scene for row in rows])
    figures = {
        method: measure(rows, np.array([row.scores[method] for row in rows]))
        for method in rows[0].scores
    }
    # The same samples for all methods, so that differences are paired.
    draws = list(resample_scenes(scenes))
    samples = {
        method: np.array([figure(weights) for weights in draws])
        for method, figure in figures.items()
    }
    return {
        "n": len(rows),
        "scenes": len(set(scenes)),
        "prevalence": float(np.mean([row.improvable for row in rows])),
        "methods": {
            method: {
                "value": figure(np.ones(len(rows), int)),
                "interval": _interval(samples[method]),
                "trigger_ahead": _interval(samples[OURS] - samples[method]),
            }
            for method, figure in figures.items()
        },
    }


def _interval(samples: Values) -> Interval | None:
    return interval(samples[np.isfinite(samples)])


def _spearman(rows: list[Row], scores: Values) -> Callable[[Weights], float]:
    pairs = np.array([scores, [row.damage for row in rows]])

    def figure(weights: Weights) -> float:
        ranks = rankdata(np.repeat(pairs, weights, axis=1), axis=1)
        return float(np.corrcoef(ranks)[0, 1])

    return figure


def _average_precision(rows: list[Row], scores: Values) -> Callable[[Weights], float]:
    improvable = np.array([row.improvable for row in rows])
    ranked = Ranked(improvable, scores)
    return lambda weights: (
        ranked.average_precision(weights) if (weights * improvable).any() else np.nan
    )


def _ordered(rows: list[Row], scores: Values) -> Callable[[Weights], float]:
    clean = {row.scene: s for row, s in zip(rows, scores, strict=True) if not row.improvable}
    degraded = np.array([row.improvable for row in rows])
    above = np.array([s > clean[row.scene] for row, s in zip(rows, scores, strict=True)])
    return lambda weights: float(np.average(above[degraded], weights=weights[degraded]))


def as_markdown(report: dict[str, dict[str, Any]]) -> str:
    """The table, methods as columns."""
    names = list(next(iter(report.values()))["methods"])
    lines = [
        f"| measure | n (scenes) | prevalence | {' | '.join(names)} |",
        f"|---|---|---|{'---|' * len(names)}",
    ]
    for measure_name, entry in report.items():
        enough = entry["scenes"] >= MIN_SCENES
        cells = [_cell(entry["methods"][name], enough) for name in names]
        counts = f"{entry['n']} ({entry['scenes']}) | {entry['prevalence']:.3f}"
        lines.append(f"| {measure_name} | {counts} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(entry: dict[str, Any], enough: bool) -> str:
    low, high = entry["interval"] or (np.nan, np.nan)
    ahead = entry["trigger_ahead"]
    beaten = "*" if enough and ahead and ahead[0] > 0 else ""
    return f"{entry['value']:.3f}{beaten} ({low:.2f}...{high:.2f})"
