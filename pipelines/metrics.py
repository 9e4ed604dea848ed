"""How good predictions are: rank agreement and average precision, with intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import average_precision_score

Values = npt.NDArray[np.floating]
RESAMPLES = 2000


def agreement(predicted: Values, measured: Values) -> dict[str, float | int | None]:
    """Pearson and Spearman correlation and mean absolute error of (n,) values.

    Correlations are None where they do not exist: fewer than three values, or constant ones.
    """
    varied = len(measured) > 2 and np.ptp(predicted) > 0 and np.ptp(measured) > 0
    return {
        "n": len(measured),
        "pearson": float(pearsonr(predicted, measured)[0]) if varied else None,
        "spearman": float(spearmanr(predicted, measured)[0]) if varied else None,
        "mean_absolute_error": float(np.mean(np.abs(predicted - measured))),
    }


def compare_average_precision(
    improvable: npt.NDArray[np.bool_],
    scores: dict[str, Values],
    scenes: npt.NDArray[np.str_],
    seed: int = 0,
) -> dict[str, Any]:
    """Area under the precision-recall curve of several scores on the same photos.

    Average precision (no trapezoids). Intervals are 95 % bootstrap intervals that resample whole
    scenes, since photos of one scene are not independent; the same resamples serve all scores, so
    that differences are paired.

    Args:
        improvable: (n,) what people said.
        scores: named (n,) predictions; differences are taken against the first.
        scenes: (n,) scene of each photo.

    Returns:
        n, scenes, prevalence (also what random scores reach), and per score ``auc_pr`` with its
        interval; per further score the paired difference with its interval.
    """
    groups = [np.flatnonzero(scenes == scene) for scene in np.unique(scenes)]
    rng = np.random.default_rng(seed)
    samples: dict[str, list[float]] = {name: [] for name in scores}
    for _ in range(RESAMPLES):
        rows = np.concatenate([groups[i] for i in rng.integers(len(groups), size=len(groups))])
        if 0 < improvable[rows].sum() < len(rows):
            for name, values in scores.items():
                samples[name].append(average_precision_score(improvable[rows], values[rows]))
    first = next(iter(scores))
    report: dict[str, Any] = {
        "n": len(improvable),
        "scenes": len(groups),
        "prevalence": float(improvable.mean()),
        "scores": {},
    }
    for name, values in scores.items():
        entry: dict[str, Any] = {
            "auc_pr": float(average_precision_score(improvable, values)),
            "interval": _interval(np.array(samples[name])),
        }
        if name != first:
            gain = np.array(samples[name]) - np.array(samples[first])
            entry["gain"] = entry["auc_pr"] - report["scores"][first]["auc_pr"]
            entry["gain_interval"] = _interval(gain)
        report["scores"][name] = entry
    return report


def at_threshold(
    improvable: npt.NDArray[np.bool_], scores: Values, threshold: float
) -> dict[str, float | None]:
    """Precision, recall and alert rate of ``score >= threshold``; None where undefined."""
    alerts = scores >= threshold
    hits = float((alerts & improvable).sum())
    return {
        "threshold": threshold,
        "precision": hits / float(alerts.sum()) if alerts.any() else None,
        "recall": hits / float(improvable.sum()) if improvable.any() else None,
        "alert_rate": float(alerts.mean()),
    }


def _interval(samples: Values) -> list[float] | None:
    if not len(samples):
        return None
    return [float(value) for value in np.quantile(samples, [0.025, 0.975])]
