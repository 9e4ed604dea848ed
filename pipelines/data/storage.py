"""Read and write files on this machine or any file system that Beam knows (gs://, s3://, hdfs://).

A location is a path or a URL. Local files do not need Beam. Files are written whole or not at all:
locally by renaming, and object stores show an object only once it is complete.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, cast

from trigger.errors import DataError, OptionError, PhotoError
from trigger.files import write_atomically
from trigger.photo import read_photo_bytes
from trigger.photo.content import read_to_end


def is_remote(location: str) -> bool:
    """Whether a location is a URL, for which Beam is needed."""
    return "://" in location


def absolute(location: str | os.PathLike[str]) -> str:
    """Return an absolute path or URL, valid in any working directory; links are kept."""
    text = os.fspath(location)
    return text.rstrip("/") if is_remote(text) else os.path.abspath(text)  # noqa: PTH100


def open_file(location: str) -> BinaryIO:
    """Open a file for reading.

    Raises:
        OSError: it cannot be opened.
        OptionError: no installed package knows such URLs.
    """
    if not is_remote(location):
        return Path(location).open("rb")
    systems, uncompressed = _beam(location)
    try:
        return cast(BinaryIO, systems.open(location, compression_type=uncompressed))
    except OSError:
        raise
    except Exception as error:  # every cloud library raises its own
        if systems.exists(location):
            raise OSError(errno.EIO, f"cannot be opened: {error}", location) from error
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), location) from error


def read_photo_file(location: str) -> bytes:
    """Read the content of a photo file, at most ``Limits.file_bytes``.

    Raises:
        PhotoError: it cannot be read, or is too large.
    """
    if not is_remote(location):
        return read_photo_bytes(location)
    try:
        with open_file(location) as file:
            return read_to_end(file, location)
    except FileNotFoundError:
        raise PhotoError("missing", location, "no such file; check the path.") from None
    except PhotoError:
        raise
    except Exception as error:  # every cloud library raises its own
        raise PhotoError("unreadable", location, f"cannot be read: {error}") from error


def match(pattern: str) -> list[str]:
    """Return the sorted URLs that match a pattern.

    Raises:
        DataError: the file system cannot be listed.
    """
    systems, _ = _beam(pattern)
    try:
        (found,) = systems.match([pattern])
    except Exception as error:
        raise DataError(f"{pattern}: cannot be listed ({error})") from error
    return sorted(str(metadata.path) for metadata in found.metadata_list)


class Folder:
    """A folder of the job's own files, named relative to it, as in ``labels/ab.parquet``.

    Example:
        >>> Folder("gs://bucket/labels/").at("run.json")
        'gs://bucket/labels/run.json'
    """

    def __init__(self, location: str | os.PathLike[str]) -> None:
        self.location = absolute(location)
        self.is_local = not is_remote(self.location)

    def __str__(self) -> str:
        return self.location

    def at(self, name: str) -> str:
        """Return the location of a file."""
        return f"{self.location}/{name}"

    def names(self, subfolder: str, ending: str = "") -> list[str]:
        """List a subfolder ("": this folder), sorted; empty if there is no such folder.

        Raises:
            DataError: it exists but cannot be listed.
        """
        if self.is_local:
            try:
                found = os.listdir(self.at(subfolder))  # noqa: PTH208, names only
            except (FileNotFoundError, NotADirectoryError):
                return []
            except OSError as error:
                raise DataError(
                    f"{self.at(subfolder)}: cannot be listed ({error.strerror}); make it readable"
                ) from error
        else:
            pattern = self.at(f"{subfolder}/*".lstrip("/"))
            found = [url.rpartition("/")[2] for url in match(pattern)]
        return sorted(name for name in found if name.endswith(ending) and not name.startswith("."))

    def require(self) -> None:
        """Check that a local folder exists; object stores have no folders to check.

        Raises:
            DataError: it is gone.
        """
        if self.is_local and not Path(self.location).is_dir():
            raise DataError(f"{self}: the folder is gone; make it available again")

    def read(self, name: str) -> bytes:
        """Read a file.

        Raises:
            OSError: it cannot be read.
        """
        with open_file(self.at(name)) as file:
            return file.read()

    def write(self, name: str, data: bytes) -> None:
        """Write a file whole or not at all, replacing an existing one.

        Raises:
            DataError: the folder is gone, not writable, or its disk is full.
        """
        if self.is_local:
            self.require()  # otherwise every worker would silently create it again
            target = Path(self.at(name))
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(target, data)
            except OSError as error:
                self.require()  # if it has just gone, report that rather than a file in it
                raise DataError(f"{target.parent}: cannot be made ({error.strerror})") from error
            except DataError:
                self.require()
                raise
            return
        systems, uncompressed = _beam(self.location)
        try:
            with systems.create(self.at(name), compression_type=uncompressed) as file:
                file.write(data)
        except Exception as error:
            raise DataError(f"{self.at(name)}: cannot be written ({error})") from error

    def delete(self, names: Iterable[str]) -> None:
        """Delete files; missing ones are fine.

        Raises:
            DataError: a file cannot be deleted.
        """
        if self.is_local:
            try:
                for name in names:
                    Path(self.at(name)).unlink(missing_ok=True)
            except OSError as error:
                raise DataError(
                    f"{error.filename}: cannot be deleted ({error.strerror})"
                ) from error
            return
        systems, _ = _beam(self.location)
        there = [url for url in map(self.at, names) if systems.exists(url)]
        if there:
            try:
                systems.delete(there)
            except Exception as error:
                raise DataError(f"{self}: files cannot be deleted ({error})") from error

    def delete_temporaries(self) -> int:
        """Delete what killed processes left half-written; object stores have no such files.

        Only for the process that holds the folder's lock.

        Returns:
            How many files were deleted.
        """
        if not self.is_local:
            return 0
        left = [path for path in Path(self.location).rglob(".*.tmp") if path.is_file()]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)


def _beam(location: str) -> tuple[Any, str]:
    # Imported for URLs alone: readers of local labels go without Beam's second of start-up.
    from apache_beam.io.filesystem import CompressionTypes
    from apache_beam.io.filesystems import FileSystems

    try:
        FileSystems.get_filesystem(location)
    except ValueError as error:
        raise OptionError(
            f"{location}: no installed package knows such URLs; gs:// needs apache-beam[gcp], "
            "s3:// apache-beam[aws], abfs:// apache-beam[azure]"
        ) from error
    return FileSystems, CompressionTypes.UNCOMPRESSED


def as_folder(folder: str | os.PathLike[str] | Folder) -> Folder:
    """Return a folder given by its location, or as it is."""
    return folder if isinstance(folder, Folder) else Folder(folder)
