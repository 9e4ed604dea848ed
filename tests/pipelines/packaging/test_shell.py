"""Shell text makes the call that the function gets."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from pipelines.commands import train as train_command
from pipelines.commands import train_enhancer as train_enhancer_command
from pipelines.packaging.shell import shell_text
from pipelines.training.options import EnhancerOptions, LoopOptions, TrainOptions


@pytest.mark.parametrize(
    ("command", "name", "inputs", "options"),
    [
        (train_command.command, "train", ["my labels"], TrainOptions(average=True, epochs=3)),
        (
            train_enhancer_command.command,
            "train-enhancer",
            ["arcnn", "a b"],
            EnhancerOptions(quality=10, precision="mixed_bfloat16", init=Path("w.h5")),
        ),
    ],
)
def test_the_command_line_reads_the_same_options(
    command: click.Command, name: str, inputs: list[str], options: LoopOptions
) -> None:
    words = shlex.split(shell_text(name, *inputs, out=Path("out"), options=options))
    assert words[:2] == ["trigger", name]
    given: dict[str, Any] = dict(command.make_context(name, words[2:]).params)
    assert given["out"] == Path("out")
    fields = {key: value for key, value in given.items() if hasattr(options, key)}
    assert type(options)(**fields) == options
