from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping

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
        "assert not (heavy | {'pipelines', 'export', 'annotation'}) & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, known in COMMANDS.items():
        assert name in done.stdout
        assert known.help in " ".join(done.stdout.split())
