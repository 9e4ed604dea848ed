"""Mute native libraries that write to the terminal.

TensorFlow and LiteRT write to file descriptor 2 while they load, before any log level applies.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def native_messages_muted() -> Iterator[None]:
    """Swallow what is written to file descriptor 2, unless an import fails.

    For command lines only: the descriptor belongs to the whole process.
    """
    try:
        terminal, file = os.dup(2), tempfile.TemporaryFile()  # noqa: SIM115
    except OSError:  # standard error is closed, or there is no room for a file
        yield
        return
    with file as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except ImportError:
            captured.seek(0)
            os.write(terminal, captured.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
