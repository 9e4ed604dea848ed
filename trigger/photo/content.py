"""Read photo files as bytes, and identify them by hash."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

from trigger.errors import PhotoError
from trigger.photo.limits import DEFAULT_LIMITS

_CHUNK_BYTES = 2**20  # a file asked for 256 MiB at once would reserve that much memory


def read_photo_bytes(
    path: str | os.PathLike[str],
    name: str | None = None,
    max_bytes: int = DEFAULT_LIMITS.file_bytes,
) -> bytes:
    """Read the content of a photo file.

    Args:
        path: of the file.
        name: what errors call the photo; by default its path.
        max_bytes: larger files are refused.

    Raises:
        PhotoError: missing, directory, permission, empty, too-large or unreadable (also pipes
            and devices, which are never opened: reading them could wait forever).

    Example:
        >>> photo_hash(read_photo_bytes("IMG_0042.jpg"))  # doctest: +SKIP
        '1f0d7c...'
    """
    file_name = os.fsdecode(path)
    name = name or file_name
    try:
        mode = os.stat(file_name).st_mode  # noqa: PTH116, since Path("") is the current folder
        if stat.S_ISDIR(mode):
            os.scandir(file_name).close()  # raises PermissionError where that is the real reason
            raise PhotoError(
                "directory",
                name,
                "is a folder, not a photo; give the photos in it, as in FOLDER/*.jpg (trigger rank "
                "takes folders).",
            )
        if not stat.S_ISREG(mode):
            raise PhotoError(
                "unreadable", name, "is a pipe, socket or device; a photo must be a regular file."
            )
        with Path(file_name).open("rb") as file:
            return read_to_end(file, name, max_bytes)
    except (FileNotFoundError, NotADirectoryError):
        raise PhotoError("missing", name, "no such file; check the path.") from None
    except PermissionError:
        raise PhotoError(
            "permission", name, "may not be read by this user; change its permissions."
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        raise PhotoError("unreadable", name, f"cannot be read: {error}") from None


def read_to_end(file: BinaryIO, name: str, max_bytes: int = DEFAULT_LIMITS.file_bytes) -> bytes:
    """Read the content of an open photo file, at most ``max_bytes``.

    Raises:
        PhotoError: empty, too-large or unreadable.
    """
    chunks = []
    size = 0
    try:
        while size <= max_bytes and (chunk := file.read(_CHUNK_BYTES)):
            chunks.append(chunk)
            size += len(chunk)
        return check_size(b"".join(chunks), name, max_bytes)
    except (TypeError, UnicodeDecodeError):
        raise PhotoError(
            "unreadable", name, "is a file opened as text; open it in binary mode: open(path, 'rb')"
        ) from None
    except PhotoError:
        raise
    except Exception as error:  # file objects of the caller may raise anything
        kind = type(error).__name__
        raise PhotoError("unreadable", name, f"cannot be read ({kind}: {error}).") from error


def check_size(data: bytes, name: str, max_bytes: int) -> bytes:
    """Return the content of a photo file unless it is empty or larger than ``max_bytes``.

    Raises:
        PhotoError: empty or too-large.
    """
    if not data:
        raise PhotoError("empty", name, "is empty (0 bytes); copy or download it again.")
    if len(data) > max_bytes:
        raise PhotoError(
            "too-large", name, f"is larger than the allowed {max_bytes / 2**20:g} MiB."
        )
    return data


def photo_hash(data: bytes) -> str:
    """Return the identity of a photo: the SHA-256 of its file's content, in hexadecimal.

    Example:
        >>> photo_hash(b"abc")[:16]
        'ba7816bf8f01cfea'
    """
    return hashlib.sha256(data).hexdigest()


def read_same_photo(path: str | os.PathLike[str], sha256: str) -> bytes:
    """Read a photo file whose hash was recorded earlier.

    Raises:
        PhotoError: as ``read_photo_bytes``, or changed: the content has another hash.
    """
    data = read_photo_bytes(path)
    check_same_photo(data, sha256, os.fsdecode(path))
    return data


def check_same_photo(data: bytes, sha256: str, name: str) -> None:
    """Check the content of a photo file against the hash that was recorded.

    Raises:
        PhotoError: changed.
    """
    if photo_hash(data) != sha256:
        raise PhotoError(
            "changed",
            name,
            "the file has changed since it was recorded (its SHA-256 differs); restore the "
            "original.",
        )
