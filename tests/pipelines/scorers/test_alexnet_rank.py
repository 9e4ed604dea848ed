"""The alexnet-rank scorer: its loss ranks, it learns, and it is packaged whole."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from export.tflite import convert
from pipelines.packaging.package import package
from pipelines.scorers import checked_opinions, load_scorer, packaged
from pipelines.training.batches import PhotoBatches
from pipelines.training.loop import fit
from pipelines.training.scorer.alexnet import MARGIN, build_alexnet_rank, rank_loss
from trigger.cli.app import main
from trigger.errors import ModelError

NOISE = np.random.default_rng(0).integers(0, 256, (2, 448, 448, 3), np.uint8)
PHOTOS = np.concatenate([NOISE, NOISE // 8 + 112])  # loud and quiet
SCORES = np.array([[3.0]] * 2 + [[7.0]] * 2, np.float32)


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


def loss(expected: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.mean(rank_loss(expected, predicted)))


def test_of_equal_errors_the_wrong_order_costs_more() -> None:
    opinions = column(4, 5, 8)
    assert loss(opinions, opinions) == 0
    assert loss(opinions, opinions + column(0.6, -0.6, 0)) > loss(
        opinions, opinions + column(-0.6, 0.6, 0)
    )
    # What people hardly tell apart is not ranked: only the error itself counts.
    close = column(5, 5 + 0.9 * MARGIN)
    assert loss(close, close[::-1]) == pytest.approx(0.5 * (0.9 * MARGIN) ** 2, rel=1e-4)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> keras.Model:
    keras.utils.set_random_seed(0)
    network = build_alexnet_rank()
    batches = PhotoBatches(PHOTOS, np.arange(4), SCORES, batch_size=4, seed=0)
    fit(
        network,
        batches,
        loss=rank_loss,
        metrics=["mae"],
        learning_rate=1e-3,
        epochs=24,
        out=tmp_path_factory.mktemp("training"),
        finish=lambda: None,
    )
    return network


def test_it_learns_what_is_better(network: keras.Model) -> None:
    assert network.count_params() == 1_046_993
    black_to_white = network.get_layer("normalise")(np.array([0, 255], np.float32))
    np.testing.assert_allclose(black_to_white, [-1, 1], atol=1e-6)
    scores = network.predict(PHOTOS, verbose=0)[:, 0]
    assert scores[:2].max() + 1 < scores[2:].min()


def test_it_is_packaged_and_loaded_by_name(
    network: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packaged, "MODELS", tmp_path)
    with pytest.raises(ModelError, match="build it with: trigger packaged"):
        load_scorer("alexnet-rank")
    (tmp_path / "made").mkdir()
    file = tmp_path / "made" / "alexnet-rank.tflite"
    file.write_bytes(convert(network, "float16"))
    assert file.stat().st_size < 10_000_000
    card = tmp_path / "made" / "alexnet-rank.md"
    card.write_text("# Card")
    package(file, card, tmp_path, "7", {})
    scorer = load_scorer("alexnet-rank")
    assert (scorer.name, scorer.version) == ("alexnet-rank", "7")
    expected = (network.predict(PHOTOS, verbose=0), network.predict(PHOTOS[:, :, ::-1], verbose=0))
    found = checked_opinions(scorer, list(PHOTOS))
    np.testing.assert_allclose(found, np.mean(expected, axis=0), atol=0.02)
    (tmp_path / file.name).write_bytes(file.read_bytes() + b" ")
    with pytest.raises(ModelError, match="was altered"):
        load_scorer("alexnet-rank")


def test_it_has_no_weights_to_start_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--tid", "x", "--out", str(tmp_path), "--init", "packaged"]
    assert main(["train-scorer", "--architecture", "alexnet-rank", *options]) == 2
    assert "starts from scratch" in capsys.readouterr().err
