"""Show the log messages of this project's libraries on the terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from trigger.console.terminal import printable

_PACKAGES = ("trigger", "pipelines", "annotation", "export")


class _TerminalHandler(logging.Handler):
    """Writes to what standard error is at that moment, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        text = printable(record.getMessage())
        if record.levelno >= logging.WARNING:
            text = f"trigger: {text}"
        progress = sys.modules.get("tqdm")
        try:
            if progress is None:
                sys.stderr.write(f"{text}\n")
            else:
                progress.tqdm.write(text, file=sys.stderr)
        except OSError:  # standard error is closed: nowhere to report it
            pass


@contextmanager
def log_to_terminal() -> Iterator[None]:
    """Print messages of level INFO and above on standard error; warnings begin with "trigger:"."""
    loggers = [logging.getLogger(name) for name in _PACKAGES]
    if any(isinstance(handler, _TerminalHandler) for handler in loggers[0].handlers):
        yield  # a command that runs other commands: once is enough
        return
    handler = _TerminalHandler()
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False  # Beam configures the root logger when it is imported
    try:
        yield
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate
