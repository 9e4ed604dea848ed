"""Folders to write to, and writing files whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from trigger.errors import DataError, OptionError


def make_folder(path: Path) -> None:
    """Make a folder to write to, and those above it; one that exists is kept as it is.

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


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write to a temporary sibling, then rename: readers see the old file or the new one.

    Raises:
        DataError: the folder is missing or not writable, or the disk is full.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            temporary.write_bytes(data)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"{target}: cannot be written ({error.strerror}); "
            f"give a path in a folder that exists and has room"
        ) from error
