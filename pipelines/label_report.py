"""What a labelling run leaves for people to look at: the histogram and the summary text."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def describe_deltas(deltas: npt.NDArray[np.float32], threshold: float) -> dict[str, float | int]:
    """Count, mean, median and the share at or above the threshold of (n,) deltas, n >= 1."""
    return {
        "count": len(deltas),
        "mean": round(float(deltas.mean()), 4),
        "median": round(float(np.median(deltas)), 4),
        "threshold": threshold,
        "share_above": round(float((deltas >= threshold).mean()), 4),
    }


def draw_deltas(deltas: npt.NDArray[np.float32], about: dict[str, Any], title: str) -> bytes:
    """A histogram of (n,) deltas as PNG; ``about`` is what ``describe_deltas`` found."""
    figure = Figure(figsize=(7, 4.2))
    FigureCanvasAgg(figure)  # no pyplot: it keeps global state and looks for a screen
    figure.subplots_adjust(left=0.1, right=0.97, bottom=0.13, top=0.86)
    axis = figure.subplots()
    axis.hist(deltas, bins=min(60, max(10, len(deltas) // 5)), color="#1f6f8b", alpha=0.85)
    for value, style, label in (
        (about["threshold"], "-", f"threshold {about['threshold']}"),
        (about["mean"], "--", f"mean {about['mean']:+.3f}"),
        (about["median"], ":", f"median {about['median']:+.3f}"),
    ):
        axis.axvline(
            value, color="#b5452c" if style == "-" else "0.2", linestyle=style, label=label
        )
    axis.set(
        xlabel="delta (score of the enhanced photo - score of the photo)",
        ylabel="photos",
        title=f"{about['count']} photos, {about['share_above']:.0%} at or above the threshold",
    )
    axis.legend()
    figure.suptitle(title, fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def summary_text(run: dict[str, Any]) -> str:
    """The content of run.json as a few lines for the terminal."""
    counts, deltas = run["counts"], run["deltas"]
    lines = [
        f"{counts['photos']} photos = {counts['labelled']} labelled + "
        f"{counts['already']} labelled before + {counts['duplicates']} duplicates + "
        f"{counts['rejected']} rejected   ({run['seconds']:.1f} s)"
    ]
    if counts["rejected"]:
        reasons = ", ".join(f"{count} {reason}" for reason, count in run["rejects"].items())
        lines.append(f"rejected: {reasons}   (details in {run['folder']}/rejects)")
    if deltas:
        lines.append(
            f"delta: mean {deltas['mean']:+.3f}, median {deltas['median']:+.3f}, "
            f"{deltas['share_above']:.0%} at or above {deltas['threshold']}   "
            f"({deltas['count']} labels in {run['folder']})"
        )
    if counts["labelled"]:
        stages = ", ".join(f"{stage} {took:.1f}" for stage, took in run["stages"].items())
        lines.append(f"seconds: {stages}")
    return "\n".join(lines)
