"""The mean of the weights that a training started from and ended with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.training.averaging import average, refit_head
from pipelines.training.networks import build_trigger, cut_trunk, warm_start
from trigger.cli.app import main

SIDE = 64


def test_the_trunk_is_the_mean_and_the_head_is_fitted_to_it() -> None:
    rng = np.random.default_rng(0)
    start, trained, expected = (build_trigger(SIDE) for _ in range(3))
    warm_start(start, "packaged")
    ends = [start.get_weights(), [w * rng.uniform(0.9, 1.1) for w in start.get_weights()]]
    trained.set_weights(ends[1])
    expected.set_weights([(one + other) / 2 for one, other in zip(*ends, strict=True)])
    photos = rng.integers(0, 256, (300, SIDE, SIDE, 3), np.uint8)
    photos //= rng.integers(1, 9, (300, 1, 1, 1), np.uint8)  # contrasts, so that features differ
    features = cut_trunk(expected).predict(photos, verbose=0)
    deltas = features @ rng.normal(size=112).astype(np.float32)
    average(trained, ends[0])
    for ours, theirs in zip(trained.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    refit_head(trained, features[:200], deltas[:200], np.arange(200).astype(str))
    scores = trained.predict(photos[200:], verbose=0)[:, 0]
    assert np.corrcoef(scores, deltas[200:])[0, 1] > 0.99


@pytest.mark.parametrize("start", ["imagenet", "mobilenet_v2.weights.h5"])
def test_the_mean_with_weights_for_another_task_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], start: str
) -> None:
    command = ["train", str(tmp_path), "--out", str(tmp_path / "out"), "--average"]
    assert main([*command, "--init", start]) == 2
    assert "needs the weights of a trigger as --init" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
