"""Many photos in order of what enhancement would gain them, as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass

from trigger.assessment import Assessment, RejectedPhoto

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

    def to_csv(self) -> str:
        """Return one row per photo, ranked; rejected ones last, with the reason as ``error``."""
        text = io.StringIO()
        table = csv.writer(text)
        table.writerow(CSV_COLUMNS)
        for rank, photo in enumerate(self.photos, start=1):
            score = f"{photo.score:.6f}"
            table.writerow(
                [rank, photo.photo, score, int(photo.enhance), photo.width, photo.height, ""]
            )
        for rejected in self.rejected:
            table.writerow(["", rejected.photo, "", "", "", "", rejected.reason])
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
