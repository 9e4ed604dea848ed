from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator, Mapping

import click
import pytest

from trigger.cli.app import main
from trigger.cli.groups import Entry, Group
from trigger.cli.table import COMMANDS


def commands(
    table: Mapping[str, Entry | Group] = COMMANDS, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Entry]]:
    """All commands, also those of groups, by the words that call them."""
    for name, known in table.items():
        if isinstance(known, Group):
            yield from commands(known.commands, (*words, name))
        else:
            yield (*words, name), known


ALL = dict(commands())


def test_help_lists_every_command_without_importing_any() -> None:
    code = (
        "import sys, trigger.cli.app\n"
        "trigger.cli.app.main(['--help'])\n"
        "heavy = {'tensorflow', 'keras', 'apache_beam', 'pandas', 'ai_edge_litert', 'jinja2'}\n"
        "heavy |= {'numpy', 'PIL'}\n"
        "assert not (heavy | {'pipelines', 'export', 'annotation'}) & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, known in COMMANDS.items():
        assert name in done.stdout
        assert known.help in " ".join(done.stdout.split())


def loaded(words: tuple[str, ...]) -> click.Command:
    """The command that these words call."""
    entry = ALL[words]
    module = importlib.import_module(entry.module)
    command = getattr(module, entry.name)
    assert isinstance(command, click.Command)
    return command


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_and_option_explains_itself(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    command = loaded(words)
    assert command.help
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, option.name
    assert main([*words, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: trigger {' '.join(words)} ")
    assert "Example" in text
    assert f"  trigger {' '.join(words)}" in text


@pytest.mark.parametrize("words", [("score",), ("rank",), ("export",)])
def test_help_documents_exit_codes_that_mean_something(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--help"]) == 0
    assert "Exit codes: 0" in capsys.readouterr().out
