"""Networks, splits, metrics and the fine-tuning of the head."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.finetune import fit_head, freeze_trunk
from pipelines.metrics import at_threshold, compare_average_precision
from pipelines.networks import build_nima, build_trigger, cut_trunk, load_network, warm_start
from pipelines.scorers.opinions import BINS, distribution, squared_emd
from pipelines.splits import FOLDS, fold_of
from trigger.errors import ModelError


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_trigger()


def test_the_trigger_has_the_published_size(network: keras.Model) -> None:
    assert network.count_params() == 261_841
    assert network.output_shape == (None, 1)
    assert cut_trunk(network).output_shape == (None, 112)


def test_freezing_leaves_113_parameters(network: keras.Model) -> None:
    assert freeze_trunk(keras.models.clone_model(network)) == 113
    with pytest.raises(ModelError, match="113"):
        freeze_trunk(build_nima())


def test_warm_start_carries_the_trunk_from_one_network_to_the_other(
    network: keras.Model, tmp_path: Path
) -> None:
    donor = build_nima()
    donor.save(tmp_path / "nima.keras")
    target = build_trigger()
    assert warm_start(target, str(tmp_path / "nima.keras")) == 261_728
    photo = np.random.default_rng(0).integers(0, 256, (1, 448, 448, 3), np.uint8)
    tap = keras.Model(donor.input, donor.get_layer("block_16_project_BN").output)
    np.testing.assert_allclose(
        cut_trunk(target).predict(photo, verbose=0),
        tap.predict(photo, verbose=0).mean(axis=(1, 2)),
        atol=1e-5,
    )


def test_the_packaged_trunk_is_complete(network: keras.Model) -> None:
    assert warm_start(build_trigger(), "packaged") == 261_728


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="other")]).save(stranger)
    text = tmp_path / "text.keras"
    text.write_text("not a model")
    for path in (stranger, text, tmp_path / "missing.keras"):
        with pytest.raises(ModelError, match=path.name):
            load_network(path)


@given(st.floats(1.1, 9.9), st.floats(0.5, 2.5))
def test_distributions_have_the_mean_they_were_asked_for(score: float, deviation: float) -> None:
    shares = distribution(score, deviation)
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert float(shares @ BINS) == pytest.approx(score, abs=1e-3)


def test_squared_emd_grows_with_distance() -> None:
    one, near, far = (np.eye(10, dtype=np.float32)[i][None] for i in (0, 1, 9))
    assert float(squared_emd(one, one)[0]) == 0
    # A shift by k bins moves k of ten cumulative sums by one.
    assert float(squared_emd(one, near)[0]) == pytest.approx(0.1)
    assert float(squared_emd(one, far)[0]) == pytest.approx(0.9)


def test_folds_are_even_and_never_change() -> None:
    counts = np.bincount([fold_of(f"scene {i}") for i in range(5000)], minlength=FOLDS)
    assert counts.min() > 900
    assert [fold_of(scene) for scene in ("a", "b", "c")] == [0, 3, 0]


def test_a_head_that_already_fits_is_kept() -> None:
    rng = np.random.default_rng(0)
    features, kernel = rng.normal(size=(300, 112)), rng.normal(size=112)
    ratings = 0.5 * (features @ kernel) + 1
    weights, offset = fit_head(features, ratings, kernel, 0.3, ridge=1e9)
    np.testing.assert_allclose(weights, 0.5 * kernel, atol=1e-4)
    assert offset == pytest.approx(1, abs=1e-6)


def test_a_head_learns_what_the_baseline_lacks() -> None:
    rng = np.random.default_rng(0)
    features, truth = rng.normal(size=(600, 112)), rng.normal(size=112)
    ratings = features @ truth + rng.normal(scale=0.1, size=600)
    weights, offset = fit_head(features[:500], ratings[:500], np.zeros(112), 0.0, ridge=1.0)
    predicted = features[500:] @ weights + offset
    assert np.corrcoef(predicted, ratings[500:])[0, 1] > 0.99


def test_average_precision_compares_on_the_same_scenes() -> None:
    rng = np.random.default_rng(0)
    improvable = rng.random(400) < 0.3
    scenes = np.array([f"scene {i % 20}" for i in range(400)])
    good = improvable + rng.normal(scale=0.3, size=400)
    report = compare_average_precision(
        improvable, {"random": rng.normal(size=400), "good": good}, scenes
    )
    random, trained = report["scores"]["random"], report["scores"]["good"]
    assert abs(random["auc_pr"] - report["prevalence"]) < 0.1
    assert trained["auc_pr"] > 0.9
    assert trained["gain_interval"][0] > 0.3
    assert report["scenes"] == 20


def test_threshold_figures() -> None:
    improvable = np.array([True, True, False, False])
    figures = at_threshold(improvable, np.array([0.9, 0.1, 0.5, 0.0]), 0.4)
    assert figures == {"threshold": 0.4, "precision": 0.5, "recall": 0.5, "alert_rate": 0.5}
    assert at_threshold(improvable, np.zeros(4), 0.4)["precision"] is None
