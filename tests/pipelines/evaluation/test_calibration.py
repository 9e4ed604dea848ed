"""Calibration bins hold all photos."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.evaluation import metrics
from pipelines.evaluation.calibration import calibrate


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "RESAMPLES", 100)


def test_bins_hold_all_photos_and_have_no_interval_where_scenes_are_too_few() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(-1, 2, 600)
    ratings = np.clip(scores + rng.normal(scale=0.2, size=600), -1, 2)
    scenes = np.array([f"scene {i % 60}" for i in range(600)])
    bins = calibrate(ratings, scores, scenes)
    assert [entry.photos for entry in bins] == [60] * 10
    for entry in bins:
        assert entry.rating == pytest.approx(entry.score, abs=0.15)
        assert entry.rating_interval is not None
        assert entry.rating_interval[0] <= entry.rating <= entry.rating_interval[1]
    assert [entry.improvable for entry in (bins[0], bins[-1])] == [0, 1]
    assert len(calibrate(ratings[:20], scores[:20], scenes[:20])) == 1
    uneven = calibrate(ratings[:100], scores[:100], scenes[:100])
    assert sorted(entry.photos for entry in uneven) == [16, 16, 17, 17, 17, 17]
    # A rating of 1 is improvable; samples without a photo of a bin say nothing of it.
    two = np.repeat(["low", "high"], 15)
    low, high = calibrate(np.repeat([0.0, 1.0], 15), np.repeat([0.1, 0.9], 15), two)
    assert (low.improvable, low.rating_interval) == (0, (0, 0))
    assert (high.improvable, high.rating_interval) == (1, (1, 1))
