"""A rebuild takes hours: that its commands are right, and its cards, is known in seconds."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

import pytest

from pipelines.data.provenance import UNFINISHED
from pipelines.packaging import rebuild
from pipelines.packaging.cards import nima_card, trigger_card
from pipelines.packaging.steps import Step
from trigger.cli.groups import Entry
from trigger.cli.table import COMMANDS
from trigger.errors import OptionError, TriggerError


def test_every_step_is_a_command_that_the_command_line_takes(tmp_path: Path) -> None:
    network, card = tmp_path / "network.keras", tmp_path / "card.md"
    steps = [
        rebuild.scorer_step(tmp_path, tmp_path, fold=1),
        *rebuild.trigger_steps(tmp_path, tmp_path),
        rebuild.export_step(network, tmp_path / "trigger.tflite", card, "1"),
    ]
    for step in steps:
        name, *arguments = step.arguments
        entry = COMMANDS[name]
        assert isinstance(entry, Entry)
        module = importlib.import_module(entry.module)
        if hasattr(module, "command"):
            module.command.make_context(name, arguments)  # raises where it is wrong
        else:
            parser = argparse.ArgumentParser()
            module.add_arguments(parser)
            parser.parse_args(arguments)


def test_a_step_that_was_killed_while_it_put_photos_in_place_runs_again(tmp_path: Path) -> None:
    step = Step(["score"], tmp_path / "degradations.csv")
    step.result.touch()
    step.run()  # nothing to do: this command would fail
    (tmp_path / UNFINISHED).mkdir()
    with pytest.raises(TriggerError, match="'trigger score' failed"):
        step.run()


def test_a_folder_serves_one_data_and_one_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = tmp_path / "data", tmp_path / "build"
    rebuild.claim(data, out)
    rebuild.claim(tmp_path / "." / "data", out)
    with pytest.raises(OptionError, match=r"made from .*data.* give another --out"):
        rebuild.claim(tmp_path / "other", out)
    monkeypatch.setattr(rebuild, "NIMA_VERSION", "next")
    with pytest.raises(OptionError, match="give another --out"):
        rebuild.claim(data, out)


def test_cards_say_what_the_records_say() -> None:
    # The cards are part of the model files: they keep the name that the command had.
    then, now = "python -m pipelines.rebuild", "python -m pipelines.packaging.rebuild"
    record = json.loads((rebuild.TRIGGER_MODELS / "trigger.json").read_text())
    card = (rebuild.TRIGGER_MODELS / "MODEL_CARD.md").read_text()
    assert trigger_card(record["quality"]) == card.replace(then, now)
    record = json.loads((rebuild.SCORER_MODELS / "nima.json").read_text())
    card = (rebuild.SCORER_MODELS / "NIMA.md").read_text()
    assert nima_card(record["quality"]) == card.replace(then, now)
