"""Search folders for photo files."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from trigger.files import is_folder
from trigger.markers import kind_of

logger = logging.getLogger(__name__)

PHOTO_EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".avif"}
    | {".heic", ".heif", ".hif", ".tif", ".tiff", ".bmp", ".dib", ".gif"}
)
_THUMBNAIL_FOLDERS = frozenset({"@eadir", ".@__thumb", ".thumbnails", "thumbs", ".thumbs"})
"""Where NAS boxes, desktops and cameras keep small copies, in lower case."""


def find_photos(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Path]:
    """List photo files: files as given (even missing ones), folders recursively and sorted.

    Inside folders, files are selected by ``PHOTO_EXTENSIONS`` and hidden ones are skipped. Links
    to folders, folders of thumbnails and folders that hold labels or pairs (whose pictures were
    made from photos) are skipped too, each with a log message of level INFO. A folder that cannot
    be listed is itself yielded, so that reading it reports the reason.

    Example:
        >>> [path.name for path in find_photos(["holiday", "cat.jpg"])]  # doctest: +SKIP
        ['beach.jpg', 'dunes.heic', 'cat.jpg']
    """
    for path in paths:
        if not is_folder(path):
            yield Path(path)
            continue
        unlisted: list[OSError] = []
        for folder, subfolders, files in os.walk(path, onerror=unlisted.append):
            if folder != os.fspath(path) and (kind := kind_of(folder, files)):
                _log_skipped(folder, f"holds {kind.removeprefix('trigger ')}, not photos")
                subfolders.clear()
                continue
            subfolders[:] = [name for name in sorted(subfolders) if _is_searched(folder, name)]
            for file in sorted(files):
                if not file.startswith(".") and Path(file).suffix.lower() in PHOTO_EXTENSIONS:
                    yield Path(folder, file)
        yield from (Path(error.filename) for error in unlisted)


def _is_searched(folder: str, name: str) -> bool:
    """Whether a subfolder is searched; if not, and it is not just hidden, log why."""
    path = os.path.join(folder, name)  # noqa: PTH118, strings as os.walk has them
    if name.lower() in _THUMBNAIL_FOLDERS:
        _log_skipped(path, "holds thumbnails made by the system")
        return False
    if name.startswith("."):
        return False
    if os.path.islink(path):  # noqa: PTH114
        _log_skipped(path, "is a link to a folder")
        return False
    return True


def _log_skipped(folder: str, why: str) -> None:
    logger.info("skipped %s: it %s", folder, why)
