"""One driver at a time may write to a folder."""

from __future__ import annotations

import fcntl
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from pipelines.data.storage import Folder
from trigger.errors import DataError
from trigger.files import make_folder

LOCK_FILE = ".lock"


class LockedError(DataError):
    """Another driver is at work in the folder."""


@contextmanager
def exclusive(folder: Folder) -> Iterator[None]:
    """Hold the folder's lock; the system releases it however this process ends.

    Object stores have no locks: there, nothing keeps two drivers apart.

    Raises:
        LockedError: another process holds it.
        DataError: nothing may be written there, or the disk is full.
    """
    if not folder.is_local:
        yield
        return
    with _opened(folder) as file:
        if not _locked(file):
            file.seek(0)
            raise LockedError(
                f"{folder} is in use by {file.read().strip() or 'another process'}; wait for its "
                "end, or stop it, or use another folder"
            )
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        try:
            file.truncate(0)
            file.write(f"process {os.getpid()} on {platform.node()} since {now}\n")
            file.flush()
        except OSError as error:
            raise _unwritable(folder, error) from error
        try:
            yield
        finally:
            file.truncate(0)


def _locked(file: TextIO) -> bool:
    """Take the lock; one that is held for a moment only, to ask for it, is waited for."""
    for wait in (0.1, 0.1, 0.0):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(wait)
        else:
            return True
    return False


@contextmanager
def working_in(path: Path) -> Iterator[None]:
    """Make a folder of this machine where there is none, and hold its lock.

    Raises:
        LockedError, DataError: as ``exclusive``.
        OptionError: a file has that name, or nothing may be written there.
    """
    make_folder(path)
    with exclusive(Folder(path)):
        yield


def _opened(folder: Folder) -> TextIO:
    try:
        # Not truncated on opening: it names the holder, who may be somebody else.
        return Path(folder.at(LOCK_FILE)).open("a+")
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Folder, error: OSError) -> DataError:
    return DataError(
        f"{folder.at(LOCK_FILE)}: cannot be written ({error.strerror}); the folder must be one "
        "where you may write, on a disk that has room"
    )


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
