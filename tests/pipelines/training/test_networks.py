"""Networks, splits and distributions."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.network import load_network
from pipelines.data.splits import FOLDS, fold_of, is_held_out, unseen
from pipelines.models.record import read_record
from pipelines.training import networks
from pipelines.training.baseline import training_targets, with_auxiliary_heads
from pipelines.training.finetuning.head import freeze_trunk
from pipelines.training.networks import (
    build_nima,
    build_trigger,
    cut_trunk,
    predict_in_slices,
    save_network,
    warm_start,
)
from pipelines.training.scorer.losses import (
    BINS,
    DIFFERENCE_WEIGHT,
    distribution,
    mean_opinion,
    opinion_loss,
    squared_emd,
)
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


def test_a_network_of_the_same_kind_goes_on_with_its_head(tmp_path: Path) -> None:
    donor = build_trigger()
    donor.layers[-1].set_weights([np.full((112, 1), 0.1), np.array([0.5])])
    donor.save(tmp_path / "donor.keras")
    target = build_trigger()
    assert warm_start(target, str(tmp_path / "donor.keras")) == 261_841
    photo = np.random.default_rng(0).integers(0, 256, (1, 448, 448, 3), np.uint8)
    given, taken = (model.predict(photo, verbose=0) for model in (donor, target))
    np.testing.assert_array_equal(given, taken)


def test_a_trunk_of_another_size_is_refused(tmp_path: Path) -> None:
    build_nima().save(tmp_path / "nima.keras")
    with pytest.raises(ModelError, match=r"same alpha, 0\.35, or 'imagenet' or 'packaged'"):
        warm_start(build_trigger(), str(tmp_path / "nima.keras"))


def test_the_packaged_trunk_is_complete(network: keras.Model) -> None:
    assert warm_start(build_trigger(), "packaged") == 261_728


def test_a_save_that_fails_leaves_the_model_that_was_there(
    network: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "model.keras"
    save_network(network, target, {"enhancer": "denoise-3"})
    assert read_record(target) == {"enhancer": "denoise-3"}
    before = target.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(networks, "write_record", fail)
    with pytest.raises(OSError, match="No space"):
        save_network(network, target, {"enhancer": "other-1"})
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
    assert target.read_bytes() == before


def test_predictions_in_slices_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    model = keras.Sequential([keras.Input((2, 2, 3), dtype="uint8"), keras.layers.Flatten()])
    photos = np.random.default_rng(0).integers(0, 256, (5, 2, 2, 3), np.uint8)
    expected, whole = model.predict(photos, verbose=0), model.predict
    seen: list[int] = []

    def predict(part: np.ndarray, **options: object) -> np.ndarray:
        seen.append(len(part))
        return whole(part, **options)

    monkeypatch.setattr(model, "predict", predict)
    monkeypatch.setattr(networks, "SLICE", 2)
    np.testing.assert_array_equal(predict_in_slices(model, photos), expected)
    assert seen == [2, 2, 1]
    rows = np.array([4, 0, 2])
    np.testing.assert_array_equal(predict_in_slices(model, photos, rows), expected[rows])


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


def test_opinions_are_averaged_over_1_to_10() -> None:
    shares = np.eye(10, dtype=np.float32)[[0, 4, 9]]
    assert np.asarray(mean_opinion(shares)).tolist() == [1, 5, 10]


def test_the_loss_also_counts_how_the_errors_of_neighbors_differ() -> None:
    expected, predicted = (np.eye(10, dtype=np.float32)[rows] for rows in ([4, 4], [4, 2]))
    distances = np.asarray(squared_emd(expected, predicted))
    more = np.asarray(opinion_loss(expected, predicted)) - distances
    assert more.tolist() == pytest.approx([2 * DIFFERENCE_WEIGHT] * 2)


def test_folds_are_even_and_never_change() -> None:
    counts = np.bincount([fold_of(f"scene {i}") for i in range(5000)], minlength=FOLDS)
    assert counts.min() > 900
    assert [fold_of(scene) for scene in ("a", "b", "c")] == [0, 3, 0]


def test_photos_are_unseen_where_their_scene_and_what_they_were_made_from_are_held_out() -> None:
    names = [f"{number:064x}" for number in range(99)]
    learned, held = (next(n for n in names if is_held_out(n) == side) for side in (False, True))
    rows = [
        (photo, f"{photo}.png", scene) for photo in (learned, held) for scene in (learned, held)
    ]
    rated = pd.DataFrame(rows, columns=["photo", "path", "scene"])
    assert unseen(rated).tolist() == [False, False, False, True]


def test_training_also_predicts_the_score_and_which_photos_are_hard_negatives() -> None:
    rows = [(0.5, 4.0, "noise"), (0.0, 6.0, "thumbnail"), (0.1, 5.0, "text"), (0.2, 7.0, "plain")]
    targets = training_targets(pd.DataFrame(rows, columns=["delta", "input_score", "kind"]))
    np.testing.assert_allclose(targets[:, :2], [row[:2] for row in rows])
    np.testing.assert_array_equal(targets[:, 2:], np.eye(4)[:, 1:])
    model = build_trigger(64)
    photos = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    predicted = with_auxiliary_heads(model, targets.mean(axis=0)).predict(photos, verbose=0)
    np.testing.assert_allclose(predicted[:, 0], model.predict(photos, verbose=0)[:, 0], atol=1e-6)
    np.testing.assert_allclose(predicted[:, 1:], np.tile(targets.mean(axis=0)[1:], (3, 1)))
