"""Plots of a fine-tuning, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve

from pipelines.evaluation.calibration import Bin
from pipelines.evaluation.metrics import at_threshold
from pipelines.evaluation.records import Comparison, Interval
from pipelines.figures import png_of
from pipelines.training.finetuning.learning_curve import Point

Values = npt.NDArray[np.floating]
BLUE, RED, GRAY = "#1f6f8b", "#b5452c", "0.55"
COLORS = (GRAY, BLUE)
STEPS = 200


def draw_precision_recall(
    improvable: npt.NDArray[np.bool_], scores: Mapping[str, Values], figures: Comparison
) -> bytes:
    """Precision-recall curves of baseline and fine-tuned, and what random scores reach.

    Args:
        improvable: (n,) bool, by people's ratings.
        scores: named (n,) scores.
        figures: their comparison.
    """
    figure, axis = _figure()
    for color, (name, values) in zip(COLORS, scores.items(), strict=True):
        precision, recall, _ = precision_recall_curve(improvable, values)
        area = figures.scores[name].auc_pr
        axis.step(recall, precision, where="post", color=color, label=f"{name}: {area:.3f}")
    axis.axhline(figures.prevalence, color=RED, linestyle=":", label="random (prevalence)")
    axis.set(
        xlabel="recall",
        ylabel="precision",
        xlim=(0, 1),
        ylim=(0, 1.02),
        title=f"{figures.n} rated photos of {figures.scenes} scenes",
    )
    axis.legend(title="area under the curve", loc="lower left")
    return png_of(figure)


def draw_learning_curve(points: Sequence[Point], baseline: float) -> bytes:
    """AUC-PR by number of ratings, with its spread, over that of the baseline."""
    figure, axis = _figure()
    sizes = [point.ratings for point in points]
    means = np.array([point.mean for point in points])
    spreads = np.array([point.spread for point in points])
    axis.fill_between(sizes, means - spreads, means + spreads, color=BLUE, alpha=0.2, linewidth=0)
    axis.plot(sizes, means, color=BLUE, marker="o", label="fine-tuned, mean ± spread")
    axis.axhline(baseline, color=GRAY, linestyle="--", label=f"baseline: {baseline:.3f}")
    axis.set_xscale("log")
    axis.set_xticks(sizes, [str(size) for size in sizes], rotation=45)
    axis.minorticks_off()
    axis.set(xlabel="rated photos to learn from", ylabel="AUC-PR on held-out scenes")
    axis.legend(loc="lower right")
    return png_of(figure)


def draw_ratings(bins: Sequence[Bin]) -> bytes:
    """Mean rating by predicted score; on the diagonal they are equal."""
    figure, axis = _figure()
    scores = [entry.score for entry in bins]
    ends = [min(scores), max(scores)]
    axis.plot(ends, ends, color=GRAY, linewidth=1, label="score = rating")
    _with_intervals(axis, scores, [(entry.rating, entry.rating_interval) for entry in bins])
    axis.set(xlabel="predicted score (mean of bin)", ylabel="mean rating")
    axis.legend(loc="upper left")
    return png_of(figure)


def draw_probability(bins: Sequence[Bin], threshold: float) -> bytes:
    """Share of photos with a moderate improvement or better by predicted score."""
    figure, axis = _figure()
    scores = [entry.score for entry in bins]
    _with_intervals(axis, scores, [(e.improvable, e.improvable_interval) for e in bins])
    axis.axvline(threshold, color=RED, linestyle=":", label=f"threshold {threshold:.3g}")
    axis.set(
        xlabel="predicted score (mean of bin)",
        ylabel='share "moderate or better"',
        ylim=(-0.02, 1.02),
    )
    axis.legend(loc="upper left")
    return png_of(figure)


def draw_thresholds(improvable: npt.NDArray[np.bool_], scores: Values, threshold: float) -> bytes:
    """Precision, recall and alert rate by threshold."""
    figure, axis = _figure()
    steps = np.linspace(scores.min(), scores.max(), STEPS)
    figures = [at_threshold(improvable, scores, float(step)) for step in steps]
    for name, color in (("precision", BLUE), ("recall", "#5b8c3a"), ("alert_rate", GRAY)):
        values = [getattr(entry, name) for entry in figures]
        axis.plot(steps, np.array(values, float), color=color, label=name.replace("_", " "))
    axis.axvline(threshold, color=RED, linestyle=":", label=f"threshold {threshold:.3g}")
    axis.set(xlabel="threshold", ylabel="share", ylim=(-0.02, 1.02))
    axis.legend()
    return png_of(figure)


def _with_intervals(
    axis: Axes, scores: Sequence[float], values: Sequence[tuple[float, Interval | None]]
) -> None:
    heights = [value for value, _ in values]
    ends = [interval or (value, value) for value, interval in values]
    axis.vlines(scores, [low for low, _ in ends], [high for _, high in ends], color=BLUE)
    axis.plot(scores, heights, color=BLUE, marker="o", label="people, 95 % intervals")


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6, 4.4), layout="constrained")
    axis = figure.subplots()
    axis.grid(alpha=0.25)
    return figure, axis
