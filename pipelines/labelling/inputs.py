"""Find the photos to label in folders, patterns, URLs and manifests."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, takewhile
from pathlib import Path, PurePath

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.data.labels import RUN_FILE, is_labels_folder
from pipelines.data.storage import absolute, is_remote, match, open_file
from pipelines.data.tables import open_csv, open_lines
from trigger.errors import DataError
from trigger.files import resolved
from trigger.photo.search import PHOTO_EXTENSIONS

MANIFEST_EXTENSIONS = frozenset({".txt", ".csv", ".parquet"})
PATH_COLUMN = "path"


class PhotoInputs:
    """The photo files that the inputs name, in a fixed order.

    An input is a photo, a folder (searched through), a pattern such as ``photos/**/*.jpg``, the
    same as a URL (``gs://bucket/photos``), or a manifest: a text file with one path per line, or a
    CSV or Parquet file with the column "path"; its paths are relative to its folder. Iterating
    yields absolute locations one at a time; only the names in one folder, the matches of a pattern
    and the listing of a URL are held in memory.

    Example:
        >>> for location in PhotoInputs(["photos", "more.csv"], "labels"):  # doctest: +SKIP
        ...     print(location)

    Attributes:
        skipped: number of skipped folder entries, by reason.
    """

    def __init__(self, inputs: Sequence[str | os.PathLike[str]], leave_out: str) -> None:
        """``leave_out`` is a folder that is not searched: the labels folder, by whatever name."""
        self.skipped: Counter[str] = Counter()
        self._inputs = [os.fspath(source) for source in inputs]
        self._leave_out = leave_out if is_remote(leave_out) else str(resolved(leave_out))

    def __iter__(self) -> Iterator[str]:
        """Iterate over locations; all inputs are opened first, so that a wrong one fails early.

        Raises:
            DataError: an input cannot be listed, or no input has any photo.
        """
        self.skipped.clear()
        opened = [self._expand(source) for source in self._inputs]
        first = [next(locations, None) for locations in opened]
        if not any(first):
            raise DataError(
                f"no photos found in {', '.join(self._inputs)}; give photo files or folders with "
                f"photos (those in {self._leave_out} and in other labels folders are not searched)"
            )
        return chain.from_iterable(
            chain((head,), rest) for head, rest in zip(first, opened, strict=True) if head
        )

    def _expand(self, source: str) -> Iterator[str]:
        here = absolute(source)
        if not is_remote(here) and Path(here).is_dir():
            yield from self._search(here)
        elif PurePath(here).suffix.lower() in MANIFEST_EXTENSIONS:
            yield from _manifest(here)
        elif is_remote(here):
            yield from self._search_url(here)
        elif glob.has_magic(here) and not Path(here).exists():
            # Path.glob, unlike glob.glob, does not follow links into circles.
            # The current folder is not part of the pattern, even if its name has * or [ in it.
            start = "" if os.path.isabs(source) else f"{glob.escape(os.getcwd())}/"  # noqa: PTH109, PTH117
            pattern = os.path.normpath(f"{start}{source}")
            try:
                found = sorted(map(str, Path("/").glob(pattern.lstrip("/"))))
            except ValueError as error:
                raise DataError(
                    f"{source}: not a pattern ({error}); ** stands for whole folder names, as in "
                    "photos/**/*.jpg"
                ) from error
            files = (path for path in found if not Path(path).is_dir())
            yield from self._photos_below(absolute(_above(source)), files, _holds_labels)
        else:  # a file; if it is missing, reading it reports that
            yield here

    def _search(self, top: str) -> Iterator[str]:
        """Yield the photos of a folder, then those of its subfolders."""
        folders = [top]
        while folders:
            folder = folders.pop()
            if self._is_left_out(folder):
                continue
            files, subfolders = [], []
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            subfolders.append(entry.name)
                        elif _is_folder(entry):
                            self.skipped["link to a folder"] += 1
                        else:
                            files.append(entry.name)
            except OSError:
                yield folder  # reading it reports the reason, instead of hiding its photos
                continue
            if RUN_FILE in files and _holds_labels(folder):
                self.skipped["labels folder"] += 1
                continue
            yield from (f"{folder}/{name}" for name in sorted(filter(self._counts, files)))
            visible = sorted(name for name in subfolders if not name.startswith("."))
            if len(visible) < len(subfolders):
                self.skipped["hidden"] += len(subfolders) - len(visible)
            folders += [f"{folder}/{name}" for name in reversed(visible)]

    def _search_url(self, url: str) -> Iterator[str]:
        is_file = PurePath(url).suffix.lower() in PHOTO_EXTENSIONS
        pattern = url if is_file or glob.has_magic(url) else f"{url}/**"
        found = match(pattern)
        if not found:
            yield url  # reading it reports what is wrong
        top = _above(pattern)
        runs = found if pattern == f"{url}/**" else match(f"{top}/**{RUN_FILE}")
        folders = {run.removesuffix(f"/{RUN_FILE}") for run in runs if run.endswith(f"/{RUN_FILE}")}
        yield from self._photos_below(
            top, found, lambda folder: folder in folders and _holds_labels(folder)
        )

    def _photos_below(
        self, top: str, files: Iterable[str], holds_labels: Callable[[str], bool]
    ) -> Iterator[str]:
        """Yield those of the files found below a folder that searching it would find."""

        @cache
        def is_left_out(folder: str) -> bool:
            if len(folder) > len(top):
                above, _, name = folder.rpartition("/")
                if is_left_out(above):
                    return True
                if name.startswith("."):
                    self.skipped["hidden"] += 1
                    return True
            place = folder or "/"
            if self._is_left_out(place):
                return True
            if holds_labels(place):
                self.skipped["labels folder"] += 1
                return True
            return False

        for path in files:
            if not is_left_out(path.rpartition("/")[0]) and self._counts(path):
                yield path

    def _is_left_out(self, location: str) -> bool:
        place = location if is_remote(location) else resolved(location)
        return f"{place}/".startswith(f"{self._leave_out}/")

    def _counts(self, path: str) -> bool:
        """Whether a file is to be labelled; if not, count it as skipped."""
        name = PurePath(path).name
        if name.startswith("."):
            self.skipped["hidden"] += 1
        elif PurePath(name).suffix.lower() not in PHOTO_EXTENSIONS:
            self.skipped["not a photo by its extension"] += 1
        else:
            return True
        return False


def _above(pattern: str) -> str:
    """Return the fixed folder at the start of a pattern or path; "" for the current folder."""
    *folders, _ = pattern.split("/")
    plain = list(takewhile(lambda name: not glob.has_magic(name), folders))
    return "/".join(plain) or ("/" if folders[:1] == [""] else "")


def _holds_labels(folder: str) -> bool:
    try:
        return is_labels_folder(folder)
    except DataError:  # an unreadable file of that name proves nothing
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link cycle
        return False


def _manifest(location: str) -> Iterator[str]:
    """Yield the locations that a manifest lists.

    Raises:
        DataError: it cannot be read or has no column "path".
    """
    base = location.rpartition("/")[0]
    try:
        for path in _manifest_paths(location):
            if not path:
                continue
            if is_remote(path) or path.startswith("/"):
                yield path
            else:
                yield f"{base}/{path}" if is_remote(base) else absolute(f"{base}/{path}")
    except (OSError, pa.ArrowException, UnicodeError) as error:
        raise DataError(f"{location}: the manifest cannot be read ({error})") from error


def _manifest_paths(location: str) -> Iterator[str]:
    # File names need not be UTF-8; os.listdir decodes them in this way.
    errors = "surrogateescape"
    with open_file(location) as file:
        if location.lower().endswith(".parquet"):
            table = pq.ParquetFile(file)
            _check_columns(location, table.schema_arrow.names)
            kind = table.schema_arrow.field(PATH_COLUMN).type
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                raise DataError(f"{location}: column {PATH_COLUMN!r} is {kind}; it must be text")
            for batch in table.iter_batches(columns=[PATH_COLUMN], batch_size=10_000):
                yield from (path for path in batch.column(0).to_pylist() if path)
        elif location.lower().endswith(".csv"):
            csv = open_csv(file, location, errors=errors)
            _check_columns(location, csv.header)
            yield from csv.column(PATH_COLUMN)
        else:
            yield from open_lines(file, errors=errors)


def _check_columns(location: str, columns: Sequence[str]) -> None:
    if PATH_COLUMN not in columns:
        raise DataError(
            f"{location}: a manifest needs the column {PATH_COLUMN!r}; it has "
            f"{', '.join(columns) or 'none'}"
        )
