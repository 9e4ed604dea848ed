"""A ranking as one self-contained HTML page with thumbnails."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from trigger.assessment import Assessment
from trigger.errors import PhotoError
from trigger.pages.page import Picture, embed, render
from trigger.photo import read_photo
from trigger.photo.encode import jpeg_bytes
from trigger.ranking import Ranking
from trigger.threads import map_in_order

THUMBNAIL_SIDE = 320
"""Longest side of a thumbnail, in pixels (10 to 25 kB each)."""


@dataclass(frozen=True)
class _Card:
    """A photo on the page: its thumbnail, a link to it, and its bar and threshold in percent."""

    photo: Assessment
    thumbnail: Picture | None
    link: str
    part: float
    tick: float


def make_thumbnails(photos: Iterable[Assessment], *, workers: int) -> Iterator[bytes | None]:
    """Return a small JPEG for every photo, in order; None for one that can no longer be read."""
    return map_in_order(_thumbnail, (photo.photo for photo in photos), workers)


def contact_sheet(
    ranking: Ranking,
    photos: Iterable[Assessment],
    thumbnails: Iterable[bytes | None],
    folder: Path,
) -> str:
    """Return the page: photos with their thumbnails, and everything that was rejected.

    Args:
        ranking: gives the counts, the threshold, the model and the rejected photos.
        photos: those of the ranking to show.
        thumbnails: JPEG files of these, in the same order; None for a photo without one.
        folder: where the page will be saved; links to photos are relative to it.

    Example:
        >>> ranking = rank(trigger.assess_all(paths), model="m", threshold=0.4)  # doctest: +SKIP
        >>> thumbnails = make_thumbnails(ranking.photos, workers=2)  # doctest: +SKIP
        >>> page = contact_sheet(ranking, ranking.photos, thumbnails, Path())  # doctest: +SKIP
    """
    shown = list(zip(photos, thumbnails, strict=True))
    values = [ranking.threshold, *(photo.score for photo, _ in shown)]
    # Round numbers, for people to read.
    low = math.floor(10 * min([0.0, *values])) / 10
    high = math.ceil(10 * max([1.0, *values])) / 10
    cards = [
        _Card(
            photo,
            embed(thumbnail) if thumbnail else None,
            _link(folder, photo.photo),
            part=100 * (photo.score - low) / (high - low),
            tick=100 * (photo.threshold - low) / (high - low),
        )
        for photo, thumbnail in shown
    ]
    return render("contact_sheet.html.j2", ranking=ranking, cards=cards, low=low, high=high)


def _thumbnail(path: str) -> bytes | None:
    try:
        photo = read_photo(path, at_least=THUMBNAIL_SIDE)
    except PhotoError:
        return None
    photo.image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    return jpeg_bytes(photo.image, quality=80, subsampling=2)


def _link(folder: Path, photo: str) -> str:
    """Relative address of a photo; quoted, it can name nothing but a file."""
    return quote(os.path.relpath(os.fsencode(photo), os.fsencode(folder)))
