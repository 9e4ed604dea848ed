"""One driver at a time may write to a folder."""

from __future__ import annotations

import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pipelines.storage import Folder
from trigger.errors import DataError

LOCK_FILE = ".lock"


class LockedError(DataError):
    """Another driver is at work in the folder."""


@contextmanager
def exclusive(folder: Folder) -> Iterator[None]:
    """Hold the folder's lock; the system releases it however this process ends.

    Object stores have no locks: there, nothing keeps two drivers apart.

    Raises:
        LockedError: another process holds it.
    """
    if not folder.is_local:
        yield
        return
    # Not truncated on opening: it names the holder, who may be somebody else.
    with Path(folder.at(LOCK_FILE)).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise LockedError(
                f"{folder} is in use by {file.read().strip() or 'another process'}; wait for its "
                "end, or stop it, or use another folder"
            ) from None
        file.truncate(0)
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        file.write(f"process {os.getpid()} on {platform.node()} since {now}\n")
        file.flush()
        yield


def is_locked(folder: Folder) -> bool:
    """Whether a driver is at work in the folder right now."""
    try:
        with Path(folder.at(LOCK_FILE)).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no such file, or none that can be locked
        return False
    return False
