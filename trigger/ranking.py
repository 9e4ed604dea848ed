"""Rank photos by predicted gain."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass

from trigger.assessment import Assessment, RejectedPhoto, Trigger
from trigger.console.progress import progress
from trigger.errors import DataError
from trigger.photo import find_photos
from trigger.photo.search import PHOTO_EXTENSIONS
from trigger.spreadsheets import escape_formula

CSV_COLUMNS = ("rank", "photo", "score", "enhance", "width", "height", "error")


@dataclass(frozen=True)
class Ranking:
    """Assessed photos, highest score first (ties by name), and those that could not be read.

    Attributes:
        model: name of the model that scored.
        threshold: of the scores.
        photos: best candidates for enhancement first.
        rejected: in the order found.
    """

    model: str
    threshold: float
    photos: tuple[Assessment, ...]
    rejected: tuple[RejectedPhoto, ...]

    @property
    def alerts(self) -> int:
        """How many photos reach the threshold."""
        return sum(photo.enhance for photo in self.photos)

    @property
    def broken_profiles(self) -> int:
        """How many photos were taken for sRGB, since their ICC profile is broken."""
        return sum(photo.profile_use == "broken" for photo in self.photos)

    def to_csv(self) -> str:
        """Return one row per photo, ranked; rejected ones last, with the reason as ``error``.

        Names that a spreadsheet would run as formulas get an apostrophe in front.
        """
        text = io.StringIO()
        table = csv.writer(text)
        table.writerow(CSV_COLUMNS)
        for rank, photo in enumerate(self.photos, start=1):
            score = f"{photo.score:.6f}"
            table.writerow(
                [
                    rank,
                    escape_formula(photo.photo),
                    score,
                    int(photo.enhance),
                    photo.width,
                    photo.height,
                    "",
                ]
            )
        for rejected in self.rejected:
            table.writerow(["", escape_formula(rejected.photo), "", "", "", "", rejected.reason])
        return text.getvalue()

    def to_json(self) -> str:
        """Return an object with model, threshold, counts, photos (ranked) and rejected."""
        return json.dumps(
            {
                "model": self.model,
                "threshold": self.threshold,
                "counts": {
                    "assessed": len(self.photos),
                    "alerts": self.alerts,
                    "rejected": len(self.rejected),
                },
                "photos": [photo.to_json() for photo in self.photos],
                "rejected": [photo.to_json() for photo in self.rejected],
            },
            indent=2,
        )


def rank(results: Iterable[Assessment | RejectedPhoto], *, model: str, threshold: float) -> Ranking:
    """Rank what ``Trigger.assess_all`` yields."""
    photos: list[Assessment] = []
    rejected: list[RejectedPhoto] = []
    for result in results:
        if isinstance(result, Assessment):
            photos.append(result)
        else:
            rejected.append(result)
    photos.sort(key=lambda photo: (-photo.score, photo.photo))
    return Ranking(model, threshold, tuple(photos), tuple(rejected))


def rank_photos(
    paths: Iterable[str | os.PathLike[str]],
    trigger: Trigger | None = None,
    *,
    workers: int | None = None,
    show_progress: bool = False,
) -> Ranking:
    """Rank the photos of folders, the best candidates for enhancement first.

    Args:
        paths: folders, searched as ``trigger.photo.find_photos`` does, and single photos.
        trigger: scores the photos; by default the packaged model with its default threshold.
        workers: photos processed at a time; by default one per usable core, at most 4.
        show_progress: show a progress bar on standard error, if that is a terminal.

    Raises:
        DataError: there are no photos.
        OptionError: ``workers`` is below 1.

    Example:
        >>> from trigger.ranking import rank_photos
        >>> ranking = rank_photos(["holiday"])  # doctest: +SKIP
        >>> ranking.photos[0].photo, round(ranking.photos[0].score, 2)  # doctest: +SKIP
        ('holiday/IMG_0042.jpg', 1.31)
    """
    names = [os.fspath(path) for path in paths]
    # A folder may be named twice, in two ways.
    photos = list({os.path.abspath(photo): photo for photo in find_photos(names)}.values())  # noqa: PTH100
    if not photos:
        raise DataError(
            f"no photos in {', '.join(names)}; "
            f"looked for files named *{' *'.join(sorted(PHOTO_EXTENSIONS))}"
        )
    trigger = trigger or Trigger()
    results = progress(
        trigger.assess_all(photos, workers=workers),
        "scoring",
        total=len(photos),
        shown=show_progress,
    )
    return rank(results, model=trigger.model.name, threshold=trigger.threshold)
