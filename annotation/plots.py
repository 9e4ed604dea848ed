"""Draw a ratings summary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.figures import png_of
from pipelines.ratings.aggregation import RatedPair
from pipelines.ratings.reliability import OUTLIER_WEIGHT, Rater
from pipelines.ratings.table import IMPROVABLE, RATINGS, Rating, is_opinion

COLORS = {2: "#1b6e5a", 1: "#7fbf9e", 0: "#c9c9c9", -1: "#c8553d"}
MAX_RATERS = 25
MAX_NAME = 18


def draw_summary(
    rows: Sequence[Rating], pairs: Sequence[RatedPair], raters: Sequence[Rater]
) -> bytes:
    """Draw four panels as PNG: ratings per rater, mean ratings, raters, spread of opinions."""
    figure = Figure(figsize=(12, 8.5), layout="constrained")
    panels = figure.subplots(2, 2)
    shown = list(raters)[:MAX_RATERS]
    _ratings(panels[0, 0], rows, [rater.rater for rater in shown])
    _means(panels[0, 1], pairs)
    _raters(panels[1, 0], shown)
    _spread(panels[1, 1], pairs)
    return png_of(figure)


def _plain(name: str) -> str:
    """Shorten a name and escape what Matplotlib takes for mathematics."""
    short = name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}\u2026"
    return short.replace("$", r"\$")


def _ratings(axis: Axes, rows: Sequence[Rating], raters: Sequence[str]) -> None:
    names = list(raters) or [""]
    rows_of_bars = np.arange(len(names))
    left = np.zeros(len(names))
    for value, word in sorted(RATINGS.items()):
        counts = [
            sum(is_opinion(row) and row.rating == value and row.rater == name for row in rows)
            for name in names
        ]
        axis.barh(rows_of_bars, counts, left=left, color=COLORS[value], label=word)
        left += counts
    axis.invert_yaxis()
    axis.set_yticks(rows_of_bars, [_plain(name) for name in names])
    axis.set(title="Ratings by rater", xlabel="ratings")
    axis.legend(fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.14))


def _means(axis: Axes, pairs: Sequence[RatedPair]) -> None:
    means = [pair.rating for pair in pairs]
    axis.hist(means, bins=np.linspace(-1.125, 2.125, 14).tolist(), color="#1f6f8b")
    axis.axvline(IMPROVABLE, color="#c8553d", linestyle="--", label="improvable from here on")
    improvable = sum(mean >= IMPROVABLE for mean in means)
    axis.set(
        title=f"Mean rating of {len(pairs)} pairs, {improvable} of them improvable",
        xlabel="mean rating",
        ylabel="pairs",
    )
    axis.legend(fontsize=8)


def _raters(axis: Axes, raters: Sequence[Rater]) -> None:
    for rater in raters:
        color = "#c8553d" if rater.doubts else "#1f6f8b"
        kappa = rater.kappa if np.isfinite(rater.kappa) else 0.0
        axis.scatter(rater.weight, kappa, color=color, s=20 + rater.ratings**0.5)
        right = rater.weight > 0.6  # where a name would leave the panel
        axis.annotate(
            _plain(rater.rater),
            (rater.weight, kappa),
            (-4 if right else 4, 4),
            textcoords="offset points",
            size=8,
            ha="right" if right else "left",
        )
    axis.axvline(OUTLIER_WEIGHT, color="0.7", linestyle=":")
    axis.set(
        title="Raters (red: outliers)",
        xlabel="weight, by sentinels and repeats",
        ylabel="weighted kappa with the others",
        xlim=(0, 1.08),
        ylim=(-0.6, 1.08),
    )


def _spread(axis: Axes, pairs: Sequence[RatedPair]) -> None:
    several = [pair for pair in pairs if pair.opinions > 1]
    steps = [0, 1, 2, 3]
    axis.bar(
        steps, [sum(pair.spread == step for pair in several) for step in steps], color="#1f6f8b"
    )
    axis.set(
        title=f"Disagreement on {len(several)} pairs rated twice or more",
        xlabel="steps from the lowest to the highest rating",
        ylabel="pairs",
        xticks=steps,
    )
