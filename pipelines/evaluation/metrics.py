"""Metrics of predictions: correlation and average precision, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import average_precision_score

from pipelines.evaluation.records import (
    Agreement,
    Alerts,
    AlertsAtThreshold,
    AveragePrecision,
    Comparison,
    Interval,
)

Values = npt.NDArray[np.floating]
RESAMPLES = 2000
MIN_SCENES = 20


def agreement(predicted: Values, measured: Values) -> Agreement:
    """Return Pearson and Spearman correlation and mean absolute error of (n,) values.

    Correlations are None where they are undefined: fewer than three values, or constant ones.

    Example:
        >>> agreement(np.array([0.0, 2.0, 9.0]), np.array([1.0, 2.0, 3.0])).spearman
        1.0
    """
    varied = len(measured) > 2 and np.ptp(predicted) > 0 and np.ptp(measured) > 0
    return Agreement(
        n=len(measured),
        pearson=float(pearsonr(predicted, measured)[0]) if varied else None,
        spearman=float(spearmanr(predicted, measured)[0]) if varied else None,
        mean_absolute_error=float(np.mean(np.abs(predicted - measured))),
    )


def compare_average_precision(
    improvable: npt.NDArray[np.bool_],
    scores: dict[str, Values],
    scenes: npt.NDArray[np.str_],
) -> Comparison:
    """Area under the precision-recall curve of several scores on the same photos.

    Average precision (no trapezoids). Intervals are 95 % bootstrap intervals that resample whole
    scenes, since photos of one scene are not independent; the same resamples serve all scores, so
    that differences are paired.

    Args:
        improvable: (n,) whether people called each photo moderately improved or better.
        scores: named (n,) predictions; differences are taken against the first.
        scenes: (n,) scene of each photo.

    Returns:
        The average precision of every score, and of all but the first its paired difference to
        the first.

    Example:
        >>> improvable = np.array([True, False, True, False])
        >>> scores = {"old": np.array([1.0, 2, 3, 4]), "new": np.array([4.0, 1, 3, 2])}
        >>> compared = compare_average_precision(improvable, scores, np.array(["a", "b", "c", "d"]))
        >>> compared.scores["new"].auc_pr, compared.scores["new"].gain
        (1.0, 0.5)
    """
    samples: dict[str, list[float]] = {name: [] for name in scores}
    ranked = {name: Ranked(improvable, values) for name, values in scores.items()}
    for weights in resample_scenes(scenes):
        if 0 < weights @ improvable < weights.sum():
            for name, ranking in ranked.items():
                samples[name].append(ranking.average_precision(weights))
    first = next(iter(scores))
    compared: dict[str, AveragePrecision] = {}
    for name, values in scores.items():
        entry = AveragePrecision(
            auc_pr=float(average_precision_score(improvable, values)),
            interval=interval(np.array(samples[name])),
        )
        if name != first:
            gain = np.array(samples[name]) - np.array(samples[first])
            entry = replace(
                entry,
                gain=entry.auc_pr - compared[first].auc_pr,
                gain_interval=interval(gain),
            )
        compared[name] = entry
    return Comparison(
        n=len(improvable),
        scenes=len(np.unique(scenes)),
        prevalence=float(improvable.mean()),
        scores=compared,
    )


def few_scenes(scenes: int) -> str:
    """Return a warning if figures rest on few scenes; else an empty text."""
    if scenes >= MIN_SCENES:
        return ""
    return (
        f"{scenes} scene{'s' if scenes > 1 else ''}: with fewer than {MIN_SCENES}, "
        "figures are rough and intervals unreliable; rate photos of more scenes."
    )


def resample_scenes(scenes: npt.NDArray[np.str_]) -> Iterator[npt.NDArray[np.int_]]:
    """Yield ``RESAMPLES`` bootstrap samples of whole scenes: how often each photo is drawn, (n,).

    Yields nothing for a single scene.
    """
    names, scene_of = np.unique(scenes, return_inverse=True)
    if len(names) < 2:
        return
    rng = np.random.default_rng(0)
    for _ in range(RESAMPLES):
        drawn = rng.integers(len(names), size=len(names))
        yield np.bincount(drawn, minlength=len(names))[scene_of]


def interval(samples: Values) -> Interval | None:
    """Return the middle 95 % of bootstrap samples; None without any."""
    if not len(samples):
        return None
    low, high = np.quantile(samples, [0.025, 0.975])
    return float(low), float(high)


def at_threshold(
    improvable: npt.NDArray[np.bool_], scores: Values, threshold: float
) -> AlertsAtThreshold:
    """Precision, recall and alert rate of ``score >= threshold``; None where undefined."""
    return AlertsAtThreshold(threshold, **vars(alert_figures(improvable, scores >= threshold)))


def alert_figures(improvable: npt.NDArray[np.bool_], alerts: npt.NDArray[np.bool_]) -> Alerts:
    """Precision, recall and alert rate of (n,) decisions; None where undefined.

    Example:
        >>> alert_figures(np.array([True, True, False]), np.array([True, False, False]))
        Alerts(precision=1.0, recall=0.5, alert_rate=0.3333333333333333)
    """
    hits = float((alerts & improvable).sum())
    return Alerts(
        precision=hits / float(alerts.sum()) if alerts.any() else None,
        recall=hits / float(improvable.sum()) if improvable.any() else None,
        alert_rate=float(alerts.mean()),
    )


class Ranked:
    """Photos sorted by score, for the average precision of many bootstrap samples.

    Args:
        improvable: (n,) whether people called each photo moderately improved or better.
        scores: (n,) predictions.
    """

    def __init__(self, improvable: npt.NDArray[np.bool_], scores: Values) -> None:
        self._order = np.argsort(-scores, kind="stable")
        self._improvable = improvable[self._order]
        self._level_ends = np.flatnonzero(np.diff(scores[self._order], append=-np.inf))

    def average_precision(self, weights: npt.NDArray[np.int_]) -> float:
        """As ``average_precision_score`` with (n,) weights, without sorting again.

        At least one improvable photo must have a positive weight.
        """
        ranked = weights[self._order]
        alerts = np.cumsum(ranked)[self._level_ends]
        hits = np.cumsum(ranked * self._improvable)[self._level_ends]
        gained = np.diff(hits, prepend=0)
        return float(gained @ (hits / np.maximum(alerts, 1)) / hits[-1])
