"""Native libraries announce themselves when they are loaded; users never see that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

COMMANDS = (
    "train missing --out out",
    "finetune missing.keras missing.csv --out out",
    "evaluate missing.csv",
)


def test_commands_print_their_own_messages_only(tmp_path: Path) -> None:
    running = {
        command: subprocess.Popen(
            [sys.executable, "-c", "from trigger.cli.app import run; run()", *command.split()],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command in COMMANDS
    }
    for command, process in running.items():
        output, _ = process.communicate()
        assert process.returncode == 1, command
        assert output.startswith("trigger: "), f"{command}: {output}"
        assert output.count("\n") == 1, f"{command}: {output}"
