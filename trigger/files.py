"""Write files atomically; make and check folders and paths."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from trigger.errors import DataError, OptionError

_OUTPUTS: dict[str | bytes, int] = {
    **{"/dev/stdout": 1, "/dev/fd/1": 1, "/proc/self/fd/1": 1},
    **{"/dev/stderr": 2, "/dev/fd/2": 2, "/proc/self/fd/2": 2},
}


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether this is a file; False also for impossible names, such as ones that are too long.

    ``Path.is_file`` raises OSError or ValueError for some of those before Python 3.14.
    """
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether this is a folder; see :func:`is_file`."""
    return os.path.isdir(path)  # noqa: PTH112


def resolved(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path with links resolved; unlike ``Path.resolve``, accepts cycles."""
    return Path(os.path.realpath(path))


def make_folder(path: Path) -> None:
    """Make a folder and its parents; one that exists is left as it is.

    Raises:
        OptionError: a file has that name, or nothing may be written there.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(
            f"{path} cannot be a folder to write to ({error.strerror}); name a new folder where "
            f"you may write"
        ) from error


def can_be_written(path: str | os.PathLike[str]) -> bool:
    """Whether ``write_atomically`` may write there: tried with an empty sibling."""
    try:
        mode = _mode(path)
        if mode is not None and _is_stream(path, mode):
            return not stat.S_ISDIR(mode) and os.access(path, os.W_OK)
        temporary = _temporary(resolved(path))
        temporary.touch()
        temporary.unlink()
    except (OSError, ValueError):  # ValueError: the name has a null character
        return False
    return True


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write to a temporary sibling, then rename: readers see the old file or the new one.

    A link is kept and its target written. A replaced file passes on its permissions. Pipes,
    devices and open descriptors (/dev/stdout) are appended to instead.

    Raises:
        DataError: the folder is missing or not writable, no file can have that name, or the disk
            is full.

    Example:
        >>> write_atomically("notes.txt", b"whole or not at all")  # doctest: +SKIP
    """
    try:
        mode = _mode(path)
        if mode is not None and _is_stream(path, mode):
            with _opened_stream(path) as stream:
                stream.write(data)
            return
        target = resolved(path)
        temporary = _temporary(target)
        try:
            if mode is not None:
                temporary.touch(0o600)  # until it gets the permissions of the old one
            temporary.write_bytes(data)
            if mode is not None:
                temporary.chmod(stat.S_IMODE(mode))
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # ValueError: the name has a null character
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(
            f"{os.fspath(path)}: cannot be written ({reason}); "
            f"give a path in a folder that exists and has room"
        ) from error


def _opened_stream(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a pipe or device; for our own stdout and stderr, a duplicate descriptor."""
    number = _OUTPUTS.get(os.fspath(path))
    if number is None:
        return Path(path).open("ab")
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return os.fdopen(os.dup(number), "wb")


def _mode(path: str | os.PathLike[str]) -> int | None:
    """Return file type and permissions of the link's target; None if there is no such file."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116, since Path("") is the current folder
    except FileNotFoundError:
        return None


def _is_stream(path: str | os.PathLike[str], mode: int) -> bool:
    """Whether it must not be replaced: an open descriptor, or anything but a regular file."""
    opened = os.fspath(path).startswith(("/dev/fd/", "/dev/std", "/proc/"))
    return opened or not stat.S_ISREG(mode)


def _temporary(target: Path) -> Path:
    """Return a hidden sibling; its name is short, since the target's may be as long as allowed."""
    return target.with_name(f".{secrets.token_hex(4)}.tmp")
