"""Evaluation: scores compared with ratings, metrics, thresholds, calibration.

Example:
    >>> from pipelines.evaluation import Target, evaluate
    >>> result = evaluate(Path("ratings.csv"), target=Target("recall", 0.9))  # doctest: +SKIP
    >>> result.report.at_target.threshold  # doctest: +SKIP
    0.37
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.evaluation.thresholds import MEASURES, Target, choose_threshold, find_threshold
from trigger.facade import lazy_exports

if TYPE_CHECKING:
    from pipelines.evaluation.rated import Evaluation, evaluate

__all__ = [
    "MEASURES",
    "Evaluation",
    "Target",
    "choose_threshold",
    "evaluate",
    "find_threshold",
]

# Commands need targets, but not scikit-learn, to show their options.
__getattr__ = lazy_exports(__name__, {"Evaluation": "rated", "evaluate": "rated"})
