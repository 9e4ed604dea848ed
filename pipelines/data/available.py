"""Skip photos that are missing or broken; fail if more than a tenth are."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from trigger.errors import DataError, PhotoError
from trigger.photo import photo_hash, read_photo_bytes

logger = logging.getLogger(__name__)

MAX_MISSING_SHARE = 0.1  # results of fewer photos would not represent all of them


def with_hashes(photos: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Yield photos with their hashes; log and skip files that cannot be read.

    Example:
        >>> dict(with_hashes([Path("a.jpg")]))  # doctest: +SKIP
        {PosixPath('a.jpg'): '5f3c...'}
    """
    for photo in photos:
        try:
            yield photo, photo_hash(read_photo_bytes(photo))
        except PhotoError as error:
            logger.warning("skipped %s", error)


def report_missing(
    source: Path, missing: Sequence[tuple[str, str]], total: int, remedy: str
) -> None:
    """Log which photos are skipped, unless that is too many of them.

    Args:
        source: what lists the photos, for messages.
        missing: path of each skipped row, and the reason.
        total: number of rows.
        remedy: how to restore the photos, for the message.

    Raises:
        DataError: more than a tenth are missing.
    """
    for path, reason in dict(missing).items():
        logger.warning("skipped %s: %s", path, reason)
    if len(missing) > MAX_MISSING_SHARE * total:
        path, reason = missing[0]
        raise DataError(
            f"{source}: {len(missing)} of {total} photos cannot be used, first {path}: {reason} "
            f"{remedy}"
        )
