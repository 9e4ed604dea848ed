"""Skip photos that are missing or broken; fail if more than a tenth are."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from trigger.errors import DataError, PhotoError
from trigger.photo import photo_hash, read_photo_bytes

logger = logging.getLogger(__name__)

MOST_MISSING = 0.1  # of the photos; few go astray, but the rest must stand for all


def identified(photos: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Photos with their hashes; files that cannot be read are named and left out."""
    for photo in photos:
        try:
            yield photo, photo_hash(read_photo_bytes(photo))
        except PhotoError as error:
            logger.warning("skipped %s", error)


def leave_out_missing(source: Path, missing: Sequence[tuple[str, str]], of: int, mend: str) -> None:
    """Name what is left out on standard error.

    Args:
        source: what lists the photos, for messages.
        missing: path of each row to leave out, and the reason.
        of: how many rows there are.
        mend: how to bring them back, in words.

    Raises:
        DataError: more than a tenth are missing.
    """
    for path, reason in dict(missing).items():
        logger.warning("skipped %s: %s", path, reason)
    if len(missing) > MOST_MISSING * of:
        path, reason = missing[0]
        raise DataError(
            f"{source}: {len(missing)} of {of} photos cannot be used, first {path}: {reason} {mend}"
        )
