"""Log messages on the terminal."""

from __future__ import annotations

import logging

import pytest

from trigger.console.logs import log_to_terminal


def test_a_command_within_a_command_logs_once(capsys: pytest.CaptureFixture[str]) -> None:
    with log_to_terminal():
        with log_to_terminal():
            logging.getLogger("pipelines.any").warning("careful")
        logging.getLogger("trigger.any").info("done")
    logging.getLogger("trigger.any").info("unheard")
    assert capsys.readouterr().err == "trigger: careful\ndone\n"
