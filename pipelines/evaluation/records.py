"""Records of measured figures, as reports hold them in JSON."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import UNSET, UnsetType

Interval = tuple[float, float]


@dataclass(frozen=True)
class Agreement:
    """Correlation of predicted with measured values.

    Attributes:
        n: number of values.
        pearson: linear correlation, -1..1; None where it is undefined.
        spearman: rank correlation, -1..1; None where it is undefined.
        mean_absolute_error: in the unit of the values; unset in reports of early versions.
    """

    n: int
    pearson: float | None
    spearman: float | None
    mean_absolute_error: float | UnsetType = UNSET


@dataclass(frozen=True)
class AveragePrecision:
    """Area under the precision-recall curve of one score, with 95 % bootstrap intervals.

    Attributes:
        auc_pr: average precision, 0..1.
        interval: of it; None where there are too few scenes to resample.
        gain: difference to the score that others are compared with; unset for that one.
        gain_interval: of the difference.
    """

    auc_pr: float
    interval: Interval | None
    gain: float | UnsetType = UNSET
    gain_interval: Interval | UnsetType | None = UNSET


@dataclass(frozen=True)
class Comparison:
    """Average precision of several scores on the same photos.

    Attributes:
        n: number of photos.
        scenes: number of scenes they show.
        prevalence: share of improvable photos; random scores reach this average precision.
        scores: by the name of the score.
    """

    n: int
    scenes: int
    prevalence: float
    scores: dict[str, AveragePrecision]


@dataclass(frozen=True)
class Alerts:
    """How good decisions to alert are; None where a share is undefined.

    Attributes:
        precision: share of alerts that are on improvable photos.
        recall: share of improvable photos that get an alert.
        alert_rate: share of all photos that get an alert.
    """

    precision: float | None
    recall: float | None
    alert_rate: float


@dataclass(frozen=True)
class AlertsAtThreshold:
    """The same for ``score >= threshold``."""

    threshold: float
    precision: float | None
    recall: float | None
    alert_rate: float


@dataclass(frozen=True)
class AlertsWithIntervals(AlertsAtThreshold):
    """The same with 95 % bootstrap intervals; None where there are too few scenes to resample."""

    precision_interval: Interval | None
    recall_interval: Interval | None
    alert_rate_interval: Interval | None


@dataclass(frozen=True)
class AlertsAtTarget(AlertsWithIntervals):
    """The same at a threshold that was chosen on these photos.

    Attributes:
        target: what it was chosen to reach, such as "recall of at least 0.9".
        cross_validated: decisions by the thresholds of five folds of scenes, each chosen on the
            other four; None with a single scene.
    """

    target: str
    cross_validated: Alerts | None


@dataclass(frozen=True)
class EvaluationReport(Comparison):
    """A model compared with ratings, as ``trigger evaluate`` prints it.

    Attributes:
        rating_agreement: of scores with mean ratings.
        at_threshold: decisions by the given threshold.
        at_target: decisions by a threshold chosen to reach a target; None where none reaches it,
            unset where no target was given.
    """

    rating_agreement: Agreement
    at_threshold: AlertsWithIntervals
    at_target: AlertsAtTarget | UnsetType | None = UNSET
