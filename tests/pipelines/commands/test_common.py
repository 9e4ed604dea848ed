"""Options that several commands share."""

from __future__ import annotations

from typing import Any

import click
import pytest

from pipelines.commands.common import loop_options, target_options
from pipelines.evaluation.thresholds import Target
from pipelines.training.options import TrainOptions
from trigger.errors import OptionError


def run(decorator: Any, *arguments: str) -> dict[str, Any]:
    given: dict[str, Any] = {}
    click.command()(decorator(lambda **options: given.update(options))).main(
        list(arguments), standalone_mode=False
    )
    return given


def test_one_target_is_read_from_the_command_line() -> None:
    assert run(target_options) == {"target": None}
    target = run(target_options, "--target-alert-rate", "0.1")["target"]
    assert target == Target("alert_rate", 0.1)
    assert str(target) == "alert rate of at most 0.1"
    with pytest.raises(OptionError, match="--target-precision and --target-recall exclude"):
        run(target_options, "--target-recall", "0.5", "--target-precision", "0.5")
    with pytest.raises(OptionError, match=r"--target-alert-rate is 20\.0; it is a share"):
        run(target_options, "--target-alert-rate", "20")


def test_the_schedule_has_the_defaults_of_the_library() -> None:
    decorator = loop_options(TrainOptions(epochs=7), "everything")
    expected = {"epochs": 7, "batch_size": 24, "learning_rate": 5e-4, "seed": 0}
    assert run(decorator) == expected
    assert run(decorator, "--seed", "4", "--epochs", "2") == expected | {"seed": 4, "epochs": 2}
    with pytest.raises(click.UsageError):
        run(decorator, "--epochs", "0")
