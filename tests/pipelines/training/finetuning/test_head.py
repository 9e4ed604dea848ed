"""The head fitted in closed form, its cross-validation, the learning curve."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import minimize

from pipelines.data.splits import fold_of
from pipelines.evaluation import metrics
from pipelines.evaluation.calibration import calibrate
from pipelines.evaluation.thresholds import Target, find_threshold
from pipelines.training.finetuning.head import (
    Head,
    RatedPhotos,
    cross_validate,
    fit_head,
    read_head,
    select_ridge,
    write_head,
)
from pipelines.training.finetuning.learning_curve import draw, learning_curve
from pipelines.training.networks import build_trigger

NOTHING = Head(np.zeros(112), 0.0)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "RESAMPLES", 100)


def make_rated(count: int = 400, noise: float = 0.3, seed: int = 0) -> RatedPhotos:
    """Photos of 40 scenes whose ratings, in whole steps, are linear in their features."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 112))
    wish = features @ np.random.default_rng(99).normal(scale=0.1, size=112) + 0.5
    ratings = np.clip(np.rint(wish + rng.normal(scale=noise, size=count)), -1, 2)
    scenes = np.array([f"scene {i % 40}" for i in range(count)])
    return RatedPhotos(features, ratings, rng.uniform(0.2, 1, count), scenes)


@pytest.mark.parametrize("ridge", [0.5, 50.0])
def test_an_optimizer_by_gradients_finds_the_same_head(ridge: float) -> None:
    rated = make_rated()
    baseline = Head(np.random.default_rng(1).normal(scale=0.1, size=112), 0.7)
    start = baseline.scores(rated.features)
    slope, _ = np.polyfit(start, rated.ratings, 1, w=np.sqrt(rated.weights))
    layer = keras.layers.Dense(1, dtype="float64")
    layer.build((None, 112))

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        layer.set_weights([parameters[:112, None], parameters[112:]])
        with tf.GradientTape() as tape:
            errors = rated.ratings - layer(rated.features)[:, 0]
            away = layer.kernel.value[:, 0] - slope * baseline.kernel
            loss = tf.reduce_sum(rated.weights * errors**2) + ridge * tf.reduce_sum(away**2)
        gradients = tape.gradient(loss, [layer.kernel.value, layer.bias.value])
        return float(loss), np.concatenate([np.ravel(gradient) for gradient in gradients])

    found = minimize(
        objective, np.zeros(113), jac=True, method="L-BFGS-B", options={"gtol": 1e-8, "ftol": 0}
    )
    head = fit_head(rated, baseline, ridge)
    np.testing.assert_allclose(head.kernel, found.x[:112], atol=1e-6)
    assert head.bias == pytest.approx(found.x[112], abs=1e-6)


def test_a_weight_counts_as_so_many_photos() -> None:
    rated = make_rated(200)
    counts = np.random.default_rng(0).integers(1, 4, 200)
    repeated = rated[np.repeat(np.arange(200), counts)]
    weighted = fit_head(replace(rated, weights=counts.astype(float)), NOTHING, 3.0)
    twice = fit_head(replace(repeated, weights=np.ones(counts.sum())), NOTHING, 3.0)
    np.testing.assert_allclose(weighted.kernel, twice.kernel, atol=1e-9)
    assert weighted.bias == pytest.approx(twice.bias)


def test_a_head_that_already_fits_is_kept() -> None:
    rated = make_rated(300)
    baseline = Head(np.random.default_rng(0).normal(size=112), 0.3)
    perfect = replace(rated, ratings=0.5 * (rated.features @ baseline.kernel) + 1)
    head = fit_head(perfect, baseline, ridge=1e9)
    np.testing.assert_allclose(head.kernel, 0.5 * baseline.kernel, atol=1e-4)
    assert head.bias == pytest.approx(1, abs=1e-6)


def test_a_baseline_that_ranks_backwards_is_forgotten() -> None:
    backwards = Head(-np.random.default_rng(99).normal(scale=0.1, size=112), 0.0)
    head = fit_head(make_rated(noise=0.05), backwards, ridge=1e9)
    np.testing.assert_allclose(head.kernel, 0, atol=1e-3)


def test_a_head_learns_what_the_baseline_lacks() -> None:
    rated = make_rated(1000, noise=0.05)
    head = fit_head(rated[np.arange(800)], NOTHING, ridge=1.0)
    test = rated[np.arange(800, 1000)]
    assert np.corrcoef(head.scores(test.features), test.ratings)[0, 1] > 0.9


def test_heads_are_read_and_written() -> None:
    model, head = build_trigger(), Head(np.linspace(-1, 1, 112), 0.25)
    write_head(model, head)
    again = read_head(model)
    np.testing.assert_allclose(again.kernel, head.kernel, atol=1e-7)
    assert again.bias == head.bias


def test_little_noise_wants_a_weak_ridge_and_much_a_strong_one() -> None:
    assert (
        select_ridge(make_rated(noise=0.05), NOTHING).ridge
        < select_ridge(make_rated(noise=3.0), NOTHING).ridge
    )
    one_scene = replace(make_rated(), scenes=np.full(400, "the same"))
    assert select_ridge(one_scene, NOTHING).ridge == 1e5


def test_photos_of_next_to_no_weight_do_not_choose_the_ridge() -> None:
    clear, noisy = make_rated(600, noise=0.05), make_rated(600, noise=3.0)
    first = np.arange(600) < 200
    ratings = np.where(first, clear.ratings, noisy.ratings)
    rated = replace(clear, ratings=ratings, weights=np.where(first, 1, 1e-6))
    assert select_ridge(rated, NOTHING).ridge == select_ridge(rated[first], NOTHING).ridge


def test_what_a_fold_says_never_reaches_its_own_scores_or_threshold() -> None:
    rated = make_rated()
    folds = np.array([fold_of(scene) for scene in rated.scenes])
    target = Target("precision", 0.7)
    before = cross_validate(rated, NOTHING, target)
    liars = replace(rated, ratings=np.where(folds == 2, 1 - rated.ratings, rated.ratings))
    after = cross_validate(liars, NOTHING, target)
    assert np.array_equal(before.scores[folds == 2], after.scores[folds == 2])
    assert before.thresholds[2] == after.thresholds[2]
    assert not np.allclose(before.scores[folds == 3], after.scores[folds == 3])
    precision = metrics.alert_figures(rated.improvable, before.alerts).precision
    assert precision is not None
    assert 0.55 < precision < 0.95


def test_thresholds_are_found_on_scores_of_heads_that_have_not_seen_the_photos() -> None:
    rated, target = make_rated(), Target("precision", 0.7)
    folds = np.array([fold_of(scene) for scene in rated.scenes])
    for fold, threshold in enumerate(cross_validate(rated, NOTHING, target).thresholds):
        others = rated[folds != fold]
        assert threshold == find_threshold(
            others.improvable, select_ridge(others, NOTHING).scores, target
        )


def test_a_fold_without_a_threshold_that_reaches_the_target_raises_no_alerts() -> None:
    rated = replace(make_rated(), ratings=np.zeros(400))
    found = cross_validate(rated, NOTHING, Target("precision", 0.9))
    assert not found.alerts.any()
    assert found.thresholds == [np.inf] * 5


def test_the_learning_curve_rises_and_draws_whole_scenes() -> None:
    rated = make_rated(1200)
    train, test = rated[np.arange(900)], rated[np.arange(900, 1200)]
    points = learning_curve(train, test, NOTHING)
    assert [point.ratings for point in points] == [50, 100, 200, 350, 500, 700, 900]
    assert points[-1].mean > points[0].mean + 0.1
    assert points[0].spread > points[-2].spread
    assert (points[-1].draws, points[-1].spread, points[-1].scenes) == (1, 0, 40)
    (whole,) = learning_curve(train[np.arange(50)], test, NOTHING)
    assert (whole.ratings, whole.draws) == (50, 1)
    drawn = train.scenes[draw(train.scenes, 50, seed=3)]
    assert sorted(np.unique(drawn, return_counts=True)[1]) == [6, 22, 22]


def test_a_rating_of_1_is_improvable_and_any_below_is_not() -> None:
    rated = replace(make_rated(3), ratings=np.array([0.99, 1.0, 2.0]))
    assert rated.improvable.tolist() == [False, True, True]
    (entry,) = calibrate(rated.ratings, np.zeros(3), rated.scenes)
    assert entry.improvable == pytest.approx(2 / 3)
