"""The report of a training on labels: predicted against measured delta."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from msgspec import UNSET, UnsetType

from pipelines.evaluation.metrics import agreement
from pipelines.evaluation.records import Agreement
from pipelines.figures import png_of
from pipelines.training.options import TrainOptions
from trigger.files import write_atomically
from trigger.preprocessing import STANDARD

Values = npt.NDArray[np.floating]


@dataclass(frozen=True)
class UsedOptions:
    """Options of the training, as :class:`TrainOptions` has them."""

    init: str
    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    average: bool


@dataclass(frozen=True)
class KindMeans:
    """Mean delta and mean score of the photos of one degradation.

    Attributes:
        n: number of photos.
        mean_delta: measured, in points of the scorer.
        mean_score: predicted.
    """

    n: int
    mean_delta: float
    mean_score: float


@dataclass(frozen=True, kw_only=True)
class SplitReport(Agreement):
    """Predicted against measured delta on one side of the split.

    Attributes:
        scenes: number of scenes.
        by_kind: means by degradation; "as found" are photos that were not degraded.
    """

    scenes: int
    by_kind: dict[str, KindMeans]


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """What ``report.json`` holds.

    Attributes:
        preprocessing: version of the preprocessing of photos.
        labels: enhancer and scorer of the labels, and their versions.
        train: on the scenes that were trained on.
        held_out: on the others.
        options: of the training; unset in packaged records.
    """

    options: UsedOptions | UnsetType = UNSET
    preprocessing: str
    labels: dict[str, str]
    train: SplitReport
    held_out: SplitReport


def make_report(
    labels: pd.DataFrame, made_with: Mapping[str, str], options: TrainOptions
) -> TrainingReport:
    """Compare scores with deltas.

    Args:
        labels: columns delta, score, scene, kind and held_out.
        made_with: enhancer and scorer of the labels, and their versions.
        options: of the training.
    """
    return TrainingReport(
        options=UsedOptions(
            options.init,
            options.epochs,
            options.batch_size,
            options.learning_rate,
            options.seed,
            options.average,
        ),
        preprocessing=STANDARD.version,
        labels=dict(made_with),
        train=_split_report(labels[~labels["held_out"]]),
        held_out=_split_report(labels[labels["held_out"]]),
    )


def summary(report: TrainingReport) -> str:
    """The correlations as lines of text."""
    return "\n".join(
        f"{side}: n {figures.n}, Pearson {_show(figures.pearson)}, "
        f"Spearman {_show(figures.spearman)}"
        for side, figures in (("train", report.train), ("held out", report.held_out))
    )


def draw_scatter(path: Path, labels: pd.DataFrame) -> None:
    """Plot predicted against measured delta of both sides as PNG.

    Args:
        path: file to write.
        labels: columns delta, score and held_out.
    """
    sides = {
        name: (rows["score"].to_numpy(), rows["delta"].to_numpy())
        for name, rows in (
            ("train", labels[~labels["held_out"]]),
            ("held out", labels[labels["held_out"]]),
        )
    }
    figure = Figure(figsize=(5 * len(sides), 4.6), layout="constrained")
    axes: list[Axes] = list(np.atleast_1d(figure.subplots(1, len(sides), sharex=True, sharey=True)))
    values = np.concatenate([np.concatenate(pair) for pair in sides.values()])
    low, high = float(values.min()), float(values.max())
    for axis, (name, (predicted, measured)) in zip(axes, sides.items(), strict=True):
        axis.plot([low, high], [low, high], color="0.6", linewidth=1)
        size = float(np.clip(3000 / len(measured), 7, 40))  # few dots large, many dots small
        axis.scatter(measured, predicted, s=size, alpha=0.45, linewidths=0, color="#1f6f8b")
        axis.set(title=f"{name} (n = {len(measured)})", xlabel="measured delta")
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("predicted delta")
    figure.suptitle("Measured and predicted delta")
    write_atomically(path, png_of(figure))


def _split_report(labels: pd.DataFrame) -> SplitReport:
    figures = agreement(labels["score"].to_numpy(), labels["delta"].to_numpy())
    by_kind = {
        str(kind): KindMeans(len(rows), float(rows["delta"].mean()), float(rows["score"].mean()))
        for kind, rows in labels.groupby("kind")
    }
    return SplitReport(**vars(figures), scenes=int(labels["scene"].nunique()), by_kind=by_kind)


def _show(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
