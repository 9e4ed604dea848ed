"""Name, check and write the new file next to a photo, never the photo itself."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from trigger.errors import DataError
from trigger.files import can_be_written, write_atomically


def check_new_file(photo: Path, suffix: str, *, force: bool = False) -> Path:
    """Return the path NAME-SUFFIX.EXTENSION next to a photo, where a file may be written.

    Args:
        photo: path of the photo.
        suffix: what is appended to its name.
        force: whether a file of that name may be replaced.

    Raises:
        DataError: there is a file of that name (without ``force``), a link, folder or device, or
            nothing may be written there.
    """
    target = photo.with_name(f"{photo.stem}-{suffix}{photo.suffix}")
    _check(target, photo, force)
    if not can_be_written(target):
        raise DataError(
            f"{target} cannot be written; its folder must be one where you may write, and its name "
            "must not be too long"
        )
    return target


def write_new_file(target: Path, data: bytes, photo: Path, *, force: bool = False) -> None:
    """Write the file that ``check_new_file`` named, whole or not at all.

    Raises:
        DataError: as ``check_new_file``, since much can change while a photo is enhanced.
    """
    _check(target, photo, force)
    write_atomically(target, data)


def _check(target: Path, photo: Path, force: bool) -> None:
    """Refuse to write through links of any kind, which may lead to the photo or another one."""
    try:
        found = os.lstat(target)
    except (OSError, ValueError):  # there is none, or no file can have this name
        return
    if stat.S_ISLNK(found.st_mode):
        raise DataError(
            f"{target} is a link to {os.path.realpath(target)}, and links are never written "
            "through; remove it"
        )
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{target} is a folder, pipe or device; remove it or rename the photo")
    if os.path.samestat(found, os.stat(photo)):  # noqa: PTH116
        raise DataError(
            f"{target} is another name of the photo itself (a hard link); remove it or rename the "
            "photo"
        )
    if not force:
        raise DataError(f"{target} exists already; replace it with --force")
