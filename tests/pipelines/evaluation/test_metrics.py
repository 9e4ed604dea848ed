"""Average precision, correlation and intervals."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from pipelines.evaluation import metrics
from pipelines.evaluation.records import AlertsAtThreshold


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "RESAMPLES", 100)


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.5, 2.0]), st.integers(0, 3)),
        min_size=1,
    ).filter(lambda photos: any(improvable and weight for improvable, _, weight in photos))
)
def test_average_precision_is_that_of_scikit_learn(photos: list[tuple[bool, float, int]]) -> None:
    improvable, scores, weights = (np.array(column) for column in zip(*photos, strict=True))
    expected = average_precision_score(improvable, scores, sample_weight=weights)
    assert metrics.Ranked(improvable, scores).average_precision(weights) == pytest.approx(expected)


def test_average_precision_compares_on_the_same_scenes() -> None:
    rng = np.random.default_rng(0)
    improvable = rng.random(400) < 0.3
    scenes = np.array([f"scene {i % 20}" for i in range(400)])
    good = improvable + rng.normal(scale=0.3, size=400)
    report = metrics.compare_average_precision(
        improvable, {"random": rng.normal(size=400), "good": good}, scenes
    )
    random, trained = report.scores["random"], report.scores["good"]
    assert abs(random.auc_pr - report.prevalence) < 0.1
    assert trained.auc_pr > 0.9
    assert isinstance(trained.gain_interval, tuple)
    assert trained.gain_interval[0] > 0.3
    assert report.scenes == 20


def test_intervals_are_the_middle_95_percent() -> None:
    assert metrics.interval(np.arange(1001.0)) == (25, 975)


def test_agreement_is_of_values_of_ranks_and_of_distances() -> None:
    predicted, measured = np.array([0.0, 2.0, 9.0]), np.array([1.0, 2.0, 3.0])
    assert asdict(metrics.agreement(predicted, measured)) == {
        "n": 3,
        "pearson": pytest.approx(np.corrcoef(predicted, measured)[0, 1]),
        "spearman": pytest.approx(1),
        "mean_absolute_error": pytest.approx(7 / 3),
    }


def test_threshold_figures() -> None:
    improvable = np.array([True, True, False, False])
    figures = metrics.at_threshold(improvable, np.array([0.9, 0.1, 0.5, 0.0]), 0.4)
    assert figures == AlertsAtThreshold(0.4, precision=0.5, recall=0.5, alert_rate=0.5)
    assert metrics.at_threshold(improvable, np.zeros(4), 0.4).precision is None
