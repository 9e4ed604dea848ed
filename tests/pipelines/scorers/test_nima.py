"""The packaged NIMA scorer orders what people order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from skimage.data import astronaut, chelsea, coffee

from pipelines.data.pixels import to_float
from pipelines.degradation.model import Factors, degrade
from pipelines.scorers import checked_opinions, load_scorer, mean_score
from trigger.errors import OptionError, ScorerError

PHOTOS = [astronaut(), coffee(), chelsea()]
SCORER = load_scorer("nima")


def scores(photos: list[np.ndarray]) -> np.ndarray:
    return mean_score(checked_opinions(SCORER, photos))


@pytest.mark.parametrize(
    ("mild", "strong"),
    [
        (Factors(read_noise=12 / 255), Factors(read_noise=40 / 255)),
        (Factors(jpeg_quality=25), Factors(jpeg_quality=6)),
        (Factors("gaussian", 1.5), Factors("gaussian", 3.5)),
        (Factors("motion", 7, 20), Factors("motion", 17, 20)),
    ],
    ids=["noise", "jpeg", "gaussian", "motion"],
)
def test_more_degradation_scores_lower(mild: Factors, strong: Factors) -> None:
    rng = np.random.default_rng(0)
    clean = scores(PHOTOS)
    some = scores([degrade(to_float(photo), mild, rng) for photo in PHOTOS])
    much = scores([degrade(to_float(photo), strong, rng) for photo in PHOTOS])
    assert (much < clean).all()
    assert (some < clean).all()
    # Of one photo the step between two strong blurs can still come out wrong, on average not.
    assert much.mean() < some.mean()


def test_a_photo_and_its_mirror_image_score_alike() -> None:
    mirrored = [np.ascontiguousarray(photo[:, ::-1]) for photo in PHOTOS]
    np.testing.assert_allclose(SCORER.score(mirrored), SCORER.score(PHOTOS), atol=1e-6)


def test_distributions_sum_to_one_and_do_not_depend_on_the_batch() -> None:
    together = checked_opinions(SCORER, PHOTOS)
    apart = np.concatenate([SCORER.score([photo]) for photo in PHOTOS])
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(together, apart, atol=1e-6)


class Broken:
    name, version, preprocessing = "broken", "1", "none"

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def score(self, photos: Sequence[np.ndarray]) -> np.ndarray:
        return self.rows


@pytest.mark.parametrize(
    "rows",
    [
        *(np.full((1, 9), 1 / 9), np.full((1, 10), np.nan), np.ones((1, 10)), np.zeros((2, 10))),
        np.array([[-0.5, 1.5, *[0] * 8]]),
        *(np.full((1, 1), mean) for mean in (0.4, 10.6, np.nan)),
    ],
)
def test_what_is_not_a_distribution_is_an_error(rows: np.ndarray) -> None:
    with pytest.raises(ScorerError, match="broken"):
        checked_opinions(Broken(rows), PHOTOS[:1])


def test_a_mean_may_stray_a_little_from_the_scale() -> None:
    for mean in (0.6, 10.4):
        rows = checked_opinions(Broken(np.full((1, 1), mean)), PHOTOS[:1])
        assert mean_score(rows) == pytest.approx(mean)


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(OptionError, match="nima"):
        load_scorer("magic")
