"""Summaries of labels: figures, plots, and lines for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from pipelines.data.label_run import DeltaSummary, LabelRun
from pipelines.data.label_schema import Recipe
from pipelines.figures import png_of
from trigger.console.terminal import counted


def describe_deltas(deltas: npt.NDArray[np.float32], threshold: float) -> DeltaSummary:
    """Return count, mean, median and the share at or above the threshold of (n,) deltas, n >= 1.

    Example:
        >>> describe_deltas(np.array([-1, 0.5, 0.75, 1], np.float32), 0.5).share_above
        0.75
    """
    return DeltaSummary(
        count=len(deltas),
        mean=round(float(deltas.mean()), 4),
        median=round(float(np.median(deltas)), 4),
        threshold=threshold,
        share_above=round(float((deltas >= threshold).mean()), 4),
    )


def draw_deltas(deltas: Mapping[Recipe, npt.NDArray[np.float32]], threshold: float) -> bytes:
    """Histograms of (n,) deltas by recipe, one below the other, as PNG."""
    figure = Figure(figsize=(7, 4.2 * len(deltas)), layout="constrained")
    axes = figure.subplots(len(deltas), sharex=True, squeeze=False)[:, 0]
    for axis, (recipe, values) in zip(axes, deltas.items(), strict=True):
        about = describe_deltas(values, threshold)
        axis.hist(values, bins=min(60, max(10, len(values) // 5)), color="#1f6f8b", alpha=0.85)
        for value, style, label in (
            (threshold, "-", f"threshold {threshold}"),
            (about.mean, "--", f"mean {about.mean:+.3f}"),
            (about.median, ":", f"median {about.median:+.3f}"),
        ):
            color = "#b5452c" if style == "-" else "0.2"
            axis.axvline(value, color=color, linestyle=style, label=label)
        above = f"{about.share_above:.0%} at or above the threshold"
        axis.set_title(f"{recipe}\n{about.count} photos, {above}", fontsize=9)
        axis.set(xlabel="delta (score of the enhanced photo - score of the photo)", ylabel="photos")
        axis.legend()
    return png_of(figure)


def draw_scores(before: npt.NDArray[np.float32], after: npt.NDArray[np.float32]) -> bytes:
    """Scores of (n,) enhanced photos against those of the photos, as PNG."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axis = figure.subplots()
    low = float(min(before.min(), after.min()))
    high = float(max(before.max(), after.max()))
    axis.plot([low, high], [low, high], color="0.5", linewidth=1, label="no change")
    size = float(np.clip(3000 / len(before), 4, 40))  # few dots must be seen, many not merge
    axis.scatter(before, after, s=size, alpha=0.45, linewidths=0, color="#1f6f8b")
    axis.set(xlabel="score of the photo", ylabel="score of the enhanced photo")
    axis.set_title(f"{len(before)} photos, {(after > before).mean():.0%} scored higher", fontsize=9)
    axis.legend()
    return png_of(figure)


def plan_text(run: LabelRun) -> str:
    """Describe what a dry run found, as a few lines for the terminal."""
    plan = run.plan
    if plan is None:
        return ""
    lines = [
        f"{counted(plan.photos, 'photo')} = {plan.to_label} to label + "
        f"{plan.already} labelled before + {counted(plan.duplicates, 'duplicate')} + "
        f"{sum(plan.unreadable.values())} unreadable"
    ]
    labels = ", ".join(f"{count} with {name}" for name, count in plan.labels.items())
    lines.append(f"labels to make: {labels}   ({counted(plan.shards, 'shard')} into {run.folder})")
    lines += _by_reason("unreadable", plan.unreadable)
    lines += _by_reason("skipped", run.skipped)
    return "\n".join([*lines, "nothing was written (--dry-run)"])


def summary_text(run: LabelRun) -> str:
    """Describe a finished run, as a few lines for the terminal."""
    counts = run.counts
    if counts is None:
        return ""
    lines = [
        f"{counted(counts.photos, 'photo')} = {counts.labelled} labelled + "
        f"{counts.already} labelled before + {counted(counts.duplicates, 'duplicate')} + "
        f"{counts.rejected} rejected   ({run.seconds:.1f} s)"
    ]
    lines += _by_reason("skipped", run.skipped)
    lines += _by_reason("rejected", run.rejects)
    if counts.rejected:
        lines[-1] += f"   (details in {run.folder}/rejects)"
    if run.broken_profiles:
        broken = counted(run.broken_profiles, "photo")
        lines.append(f"{broken} with a broken ICC profile, taken for sRGB")
    for enhancer, deltas in run.deltas.items():
        lines.append(
            f"delta of {enhancer}: mean {deltas.mean:+.3f}, median {deltas.median:+.3f}, "
            f"{deltas.share_above:.0%} at or above {deltas.threshold}   "
            f"({counted(deltas.count, 'label')} in {run.folder})"
        )
    if run.stages:
        stages = ", ".join(f"{stage} {took:.1f}" for stage, took in run.stages.items())
        lines.append(f"seconds: {stages}")
    return "\n".join(lines)


def _by_reason(what: str, reasons: Mapping[str, int]) -> list[str]:
    listed = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    return [f"{what}: {listed}"] if listed else []
