"""Choose the threshold of alerts: a target for precision, recall or alert rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from trigger.errors import DataError, OptionError

Values = npt.NDArray[np.floating]
Counts = npt.NDArray[np.int_]
Measure = Literal["precision", "recall", "alert_rate"]
MEASURES: dict[Measure, str] = {
    "precision": "at least this share of alerts are on improvable photos; as many alerts as that "
    "allows",
    "recall": "at least this share of improvable photos get an alert; as few alerts as that allows",
    "alert_rate": "at most this share of photos get an alert",
}


@dataclass(frozen=True)
class Target:
    """What a threshold must reach: precision or recall of at least, an alert rate of at most.

    Raises:
        OptionError: the value is not above 0 and at most 1.

    Example:
        >>> str(Target("recall", 0.9))
        'recall of at least 0.9'
    """

    measure: Measure
    value: float

    def __post_init__(self) -> None:
        if not 0 < self.value <= 1:
            raise OptionError(
                f"--target-{self.measure.replace('_', '-')} is {self.value}; it is a share, above "
                "0 and at most 1"
            )

    def __str__(self) -> str:
        bound = "at most" if self.measure == "alert_rate" else "at least"
        return f"{self.measure.replace('_', ' ')} of {bound} {self.value:g}"


def find_threshold(
    improvable: npt.NDArray[np.bool_], scores: Values, target: Target
) -> float | None:
    """The threshold that reaches a target on these photos, or None where there is none.

    Precision and alert rate are reached with as many alerts as possible, recall with as few. The
    threshold lies midway between the lowest score that alerts and the next one, so that rounding
    (as in a float16 file) changes no decision.

    Args:
        improvable: (n,) whether people called each photo improvable; n >= 1.
        scores: (n,) scores of the same photos, finite.
        target: what to reach.

    Example:
        >>> improvable, scores = np.array([True, False, True]), np.array([0.9, 0.5, 0.2])
        >>> find_threshold(improvable, scores, Target("precision", 0.9))
        0.7
    """
    levels, alerts, hits = _counts(improvable, scores)
    if target.measure == "recall":
        reached = hits / max(improvable.sum(), 1) >= target.value
    elif target.measure == "precision":
        reached = hits / alerts >= target.value
    else:
        reached = alerts / len(scores) <= target.value
    if not reached.any():
        return None
    chosen = int(np.flatnonzero(reached)[0 if target.measure == "recall" else -1])
    level = float(levels[chosen])
    if chosen + 1 == len(levels):
        return level
    following = float(levels[chosen + 1])
    middle = level / 2 + following / 2
    return middle if middle > following else level


def choose_threshold(improvable: npt.NDArray[np.bool_], scores: Values, target: Target) -> float:
    """As ``find_threshold``, for a target that must be reached.

    Raises:
        DataError: no threshold reaches it; the message names the best value possible.

    Example:
        >>> improvable, scores = np.array([True, False, True]), np.array([0.9, 0.5, 0.2])
        >>> choose_threshold(improvable, scores, Target("recall", 1.0))
        0.2
    """
    threshold = find_threshold(improvable, scores, target)
    if threshold is not None:
        return threshold
    _, alerts, hits = _counts(improvable, scores)
    if target.measure == "recall":
        known = f"none of the {len(scores)} photos is improvable"
    elif target.measure == "precision":
        known = f"the best precision on {len(scores)} photos is {(hits / alerts).max():.3f}"
    else:
        known = f"the least alert rate on {len(scores)} photos is {alerts[0] / len(scores):.3f}"
    raise DataError(f"no threshold reaches {target}: {known}; set another target or rate more")


def _counts(improvable: npt.NDArray[np.bool_], scores: Values) -> tuple[Values, Counts, Counts]:
    """Distinct scores from the highest down; photos, and improvable photos, that reach each."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.diff(ranked, append=-np.inf))
    return ranked[last], last + 1, np.cumsum(improvable[order], dtype=np.int_)[last]
