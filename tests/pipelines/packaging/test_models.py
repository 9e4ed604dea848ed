"""A rebuild takes hours: that its steps fit together, and its cards, is known in seconds."""

from __future__ import annotations

import inspect
import json
from functools import partial
from pathlib import Path

import pytest

from pipelines.data.json_records import from_builtins, to_json
from pipelines.data.provenance import UNFINISHED
from pipelines.packaging import models
from pipelines.packaging.cards import nima_card, trigger_card
from pipelines.packaging.reports import TriggerQuality
from pipelines.packaging.scorer_training import NIMA_OPTIONS, scorer_options
from pipelines.packaging.steps import Step
from pipelines.training.scorer.report import ScorerReport
from trigger.errors import OptionError


def test_every_step_is_a_call_that_its_function_takes(tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    steps = [
        *models.trigger_steps(tmp_path, tmp_path),
        models.export_step(tmp_path / "network.keras", tmp_path / "trigger.tflite", card, "1"),
    ]
    for step in steps:
        assert isinstance(step.work, partial)
        inspect.signature(step.work.func).bind(*step.work.args, **step.work.keywords)


def test_scorers_share_examples_and_nima_starts_from_imagenet(tmp_path: Path) -> None:
    options = scorer_options(NIMA_OPTIONS, tmp_path / "data", tmp_path / "out", fold=2)
    assert (options.epochs, options.batch_size, options.learning_rate) == (8, 16, 2e-4)
    assert options.init is not None
    assert options.init.endswith("mobilenet_v2_1.0_notop_dequant.weights.h5")
    assert (options.examples, options.fold) == (tmp_path / "out" / "examples", 2)


def test_a_step_that_was_killed_while_it_put_photos_in_place_runs_again(tmp_path: Path) -> None:
    done: list[str] = []
    step = Step("degrade", tmp_path / "degradations.csv", lambda: done.append("again"))
    step.result.touch()
    step.run()
    assert not done
    (tmp_path / UNFINISHED).mkdir()
    step.run()
    assert done == ["again"]


def test_a_folder_serves_one_data_and_one_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = tmp_path / "data", tmp_path / "build"
    models.claim_models(data, out)
    models.claim_models(tmp_path / "." / "data", out)
    with pytest.raises(OptionError, match=r"made from .*data.* give another --out"):
        models.claim_models(tmp_path / "other", out)
    monkeypatch.setattr(models, "NIMA_VERSION", "next")
    with pytest.raises(OptionError, match="give another --out"):
        models.claim_models(data, out)


def test_cards_and_records_of_packaged_models_agree() -> None:
    # The cards are part of the model files: they keep the name that the command had.
    then, now = "python -m pipelines.rebuild DATA", "trigger packaged rebuild models DATA"
    file = models.TRIGGER_MODELS / "trigger.json"
    packaged = json.loads(file.read_text())["quality"]
    quality = from_builtins(TriggerQuality, packaged, file)
    card = (models.TRIGGER_MODELS / "MODEL_CARD.md").read_text()
    assert trigger_card(quality) == card.replace(then, now)
    assert json.loads(to_json(quality)) == packaged
    file = models.SCORER_MODELS / "nima.json"
    packaged = json.loads(file.read_text())["quality"]
    report = from_builtins(ScorerReport, packaged, file)
    card = (models.SCORER_MODELS / "NIMA.md").read_text()
    assert nima_card(report) == card.replace(then, now)
    assert json.loads(to_json(report)) == packaged
