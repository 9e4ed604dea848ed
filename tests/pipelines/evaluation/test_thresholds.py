"""Thresholds reach their targets, by as little as possible."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation.metrics import at_threshold
from pipelines.evaluation.records import AlertsAtThreshold
from pipelines.evaluation.thresholds import (
    MEASURES,
    Measure,
    Target,
    choose_threshold,
    find_threshold,
)
from trigger.errors import DataError

rated = st.lists(st.tuples(st.booleans(), st.sampled_from([-0.5, 0.0, 0.4, 0.41, 2.0])), min_size=1)


@given(rated, st.sampled_from(list(MEASURES)), st.floats(0.01, 1))
def test_the_best_of_all_thresholds_is_found(
    photos: list[tuple[bool, float]], measure: Measure, value: float
) -> None:
    improvable = np.array([rating for rating, _ in photos])
    scores = np.array([score for _, score in photos])
    able = [
        alerts
        for threshold in set(scores)
        if reaches(alerts := at_threshold(improvable, scores, threshold), measure, value)
    ]
    found = find_threshold(improvable, scores, Target(measure, value))
    if not able:
        assert found is None
        with pytest.raises(DataError, match=r"no threshold reaches .* set another target"):
            choose_threshold(improvable, scores, Target(measure, value))
        return
    assert found is not None
    figures = at_threshold(improvable, scores, found)
    assert reaches(figures, measure, value)
    best = min if measure == "recall" else max
    assert figures.alert_rate == best(entry.alert_rate for entry in able)


def reaches(figures: AlertsAtThreshold, measure: Measure, value: float) -> bool:
    reached = getattr(figures, measure)
    if reached is None:
        return False
    return reached <= value if measure == "alert_rate" else reached >= value


def test_a_threshold_keeps_its_distance_from_scores() -> None:
    improvable, scores = np.array([True, False, False]), np.array([0.9, 0.5, 0.1])
    assert choose_threshold(improvable, scores, Target("precision", 1)) == pytest.approx(0.7)
    assert choose_threshold(improvable, scores, Target("recall", 0.5)) == pytest.approx(0.7)
    assert choose_threshold(improvable, scores, Target("alert_rate", 0.7)) == pytest.approx(0.3)
    neighbors: npt.NDArray[np.float64] = np.array([np.nextafter(1, 2), 1])
    assert choose_threshold(np.array([True, False]), neighbors, Target("precision", 1)) > 1
