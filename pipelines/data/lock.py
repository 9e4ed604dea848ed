"""Lock a folder, so that one process at a time writes to it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from pipelines.data.storage import Folder
from trigger.errors import DataError
from trigger.files import make_folder

LOCK_FILE = ".lock"
HOLDER_FILE = ".lock-holder"
WAIT_SECONDS = 0.3  # for those who hold it only for a moment, to ask whether it is held


class LockedError(DataError):
    """Another process is writing to the folder."""


@contextmanager
def exclusive(folder: Folder) -> Iterator[None]:
    """Hold the folder's lock; the system releases it however this process ends.

    Object stores have no locks: there, nothing keeps two processes apart.

    Raises:
        LockedError: another process holds it.
        DataError: nothing may be written there, or the disk is full.

    Example:
        >>> with exclusive(Folder("labels")):  # doctest: +SKIP
        ...     ...
    """
    if not folder.is_local:
        yield
        return
    holder = Path(folder.at(HOLDER_FILE))
    lock = _lock(folder)
    try:
        lock.acquire(timeout=WAIT_SECONDS, poll_interval=0.05)
    except Timeout:
        raise LockedError(
            f"{folder} is in use by {_read(holder) or 'another process'}; wait for its end, or "
            "stop it, or use another folder"
        ) from None
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        try:
            holder.write_text(f"process {os.getpid()} on {platform.node()} since {now}\n")
        except OSError as error:
            raise _unwritable(folder, error) from error
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


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


def is_locked(folder: Folder) -> bool:
    """Whether a process is writing to the folder right now."""
    if not Path(folder.at(LOCK_FILE)).is_file():
        return False
    lock = _lock(folder)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    except OSError:  # a file system that has no locks, or a folder where nothing may be written
        return False
    lock.release()
    return False


def _lock(folder: Folder) -> FileLock:
    # Several threads of a process keep each other out, too; a released lock leaves its file.
    return FileLock(folder.at(LOCK_FILE), thread_local=False)


def _unwritable(folder: Folder, error: OSError) -> DataError:
    return DataError(
        f"{folder.at(LOCK_FILE)}: cannot be written ({error.strerror}); the folder must be one "
        "where you may write, on a disk that has room"
    )


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
