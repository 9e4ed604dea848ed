"""The full-reference model and the TID2013 distortions that it is fitted on."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.data import astronaut

from pipelines.opinions.derived_ratings import rating_of
from pipelines.opinions.tid2013 import LEVEL_PSNR, ORIGINAL_MOS, TYPES, remake, to_score
from pipelines.training.scorer.judge import FullReferenceJudge, distortion_features

PHOTO = astronaut()[:192, 128:320]


@pytest.mark.parametrize("distortion", TYPES, ids=lambda d: str(d.number))
def test_remade_distortions_meet_the_level(distortion: object) -> None:
    reached = [remake(PHOTO, distortion, level, seed=1)[1] for level in (2, 4)]  # type: ignore[arg-type]
    assert reached == pytest.approx([LEVEL_PSNR[2], LEVEL_PSNR[4]], abs=1.5)


def test_features_are_zero_for_the_original_and_grow_with_distortion() -> None:
    assert distortion_features(PHOTO, PHOTO).max() < 1e-3
    white = TYPES[0]
    levels = [
        distortion_features(remake(PHOTO, white, level, seed=1)[0], PHOTO) for level in (1, 3, 5)
    ]
    assert (levels[0] < levels[1]).mean() > 0.9
    assert (levels[1] < levels[2]).mean() > 0.9


def test_the_judge_learns_to_rank_distortions() -> None:
    rng = np.random.default_rng(0)
    strength = rng.uniform(0, 1, 200)
    features = np.outer(strength, rng.uniform(0.5, 1, 18)).astype(np.float32)
    judge = FullReferenceJudge().fit(features[:150], (8 - 5 * strength[:150]).astype(np.float32))
    predicted = judge.score(features[150:])
    assert np.corrcoef(predicted, strength[150:])[0, 1] < -0.98


def test_ratings_follow_the_human_gain() -> None:
    assert [rating_of(gain) for gain in (-1.0, 0.0, 1.0, 2.4, 3.0)] == [-1, 0, 1, 1, 2]
    assert to_score(ORIGINAL_MOS) == pytest.approx(8.2)
