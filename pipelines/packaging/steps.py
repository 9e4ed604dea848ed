"""Commands that build on each other, run one after the other as a user would."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.data.provenance import UNFINISHED
from trigger.cli import app as cli
from trigger.errors import TriggerError

INTERRUPTED = 130


def run_command(arguments: Sequence[str]) -> None:
    """Show a ``trigger`` command and run it.

    Raises:
        TriggerError: it failed, and has said why.
        KeyboardInterrupt: it was interrupted.
    """
    shown = shlex.join(["trigger", *arguments])
    print(f"$ {shown}", flush=True)  # noqa: T201
    code = cli.main(arguments)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code != 0:
        raise TriggerError(f"stopped: '{shown}' failed with exit code {code}, see above")


@dataclass(frozen=True)
class Step:
    """One command and the file that proves that it was finished."""

    arguments: Sequence[str]
    result: Path

    def run(self) -> None:
        """Run the command unless its result is there, whole."""
        if not self.result.exists() or (self.result.parent / UNFINISHED).exists():
            run_command(self.arguments)
