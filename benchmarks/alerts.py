"""What alerts are worth: do raters see an improvement where the trigger promises one?

``python benchmarks/alerts.py PAIRS RATINGS.csv --out RATED.csv`` scores the photos of a pairs
folder with the packaged trigger and joins scores, deltas and ratings: one row per photo. From such
a table alone, which holds hashes and no photos, ``python benchmarks/alerts.py RATED.csv`` computes
the same figures again. "Better" is a mean rating of 1 or more, "worse" one below 0.
"""

from __future__ import annotations

import argparse
import io
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from annotation.manifest import read_manifest
from pipelines.data.tables import csv_bytes, read_frame
from pipelines.evaluation.metrics import at_threshold, compare_average_precision
from pipelines.ratings import IMPROVABLE, read_rated_pairs
from trigger import RejectedPhoto, Trigger
from trigger.errors import DataError, TriggerError
from trigger.files import write_atomically


@dataclass(frozen=True)
class RatedPhoto:
    """A rated pair; the fields are the columns of the table.

    Attributes:
        photo: SHA-256 of the photo before enhancement.
        scene: what it was made from.
        enhancer: name-version.
        delta: the scorer's gain by the enhancer.
        score: what the trigger predicts.
        rating: mean rating, -1..2.
        opinions: number of raters.
    """

    photo: str
    scene: str
    enhancer: str
    delta: float
    score: float
    rating: float
    opinions: int


def rated_photos(pairs: Path, ratings: Path) -> list[RatedPhoto]:
    """Score the rated photos of a pairs folder; pairs with known answers do not count."""
    rated = {pair.pair: pair for pair in read_rated_pairs(ratings)}
    chosen = [
        pair
        for pair in read_manifest(pairs).pairs
        if pair.delta is not None and not pair.sentinel and pair.pair in rated
    ]
    photos = []
    results = Trigger().assess_all([pair.path for pair in chosen])
    for pair, result in zip(chosen, results, strict=True):
        if isinstance(result, RejectedPhoto):
            raise DataError(str(result))
        assert pair.delta is not None
        opinion = rated[pair.pair]
        photos.append(
            RatedPhoto(
                pair.photo,
                pair.scene,
                pair.enhancer,
                pair.delta,
                round(result.score, 4),
                round(opinion.rating, 3),
                opinion.opinions,
            )
        )
    return photos


def read_table(path: Path) -> list[RatedPhoto]:
    """Read what :func:`to_csv` wrote."""
    frame = read_frame(path)
    return [
        RatedPhoto(
            row["photo"],
            row["scene"],
            row["enhancer"],
            float(row["delta"]),
            float(row["score"]),
            float(row["rating"]),
            int(row["opinions"]),
        )
        for row in frame.to_dict("records")
    ]


def to_csv(photos: list[RatedPhoto]) -> bytes:
    """The table as CSV."""
    columns = [field.name for field in fields(RatedPhoto)]
    return csv_bytes(columns, ([*asdict(photo).values()] for photo in photos))


def report(photos: list[RatedPhoto], threshold: float) -> str:
    """Figures as a table in Markdown."""
    rating = np.array([photo.rating for photo in photos])
    score, delta = (np.array([getattr(photo, name) for photo in photos]) for name in NAMES)
    scenes = np.array([photo.scene for photo in photos])
    better, worse = rating >= IMPROVABLE, rating < 0
    alerts = score >= threshold
    figures = at_threshold(better, score, threshold)
    compared = compare_average_precision(better, {"score": score, "delta": delta}, scenes)
    out = io.StringIO()

    def row(name: str, value: str) -> None:
        out.write(f"| {name} | {value} |\n")

    out.write("| | |\n|---|---|\n")
    row("photos, opinions", f"{len(photos)}, {sum(photo.opinions for photo in photos)}")
    row("enhanced photo better / neither / worse", " / ".join(map(share, parts(better, worse))))
    row(f"alerts at {threshold:g}", f"{int(alerts.sum())} ({share(alerts)})")
    if alerts.any():
        row("alerts better / worse", f"{share(better[alerts])} / {share(worse[alerts])}")
    if better.any():
        row("better ones that raise an alert", f"{figures.recall:.0%}")
    clear = delta >= threshold
    if clear.any():
        row(
            f"better / worse among deltas of {threshold:g} or more ({int(clear.sum())})",
            f"{share(better[clear])} / {share(worse[clear])}",
        )
    for name, entry in compared.scores.items():
        bounds = f" ({entry.interval[0]:.2f} to {entry.interval[1]:.2f})" if entry.interval else ""
        row(
            f"AUC-PR of better by {name} (prevalence {compared.prevalence:.2f})",
            f"{entry.auc_pr:.2f}{bounds}",
        )
    return out.getvalue()


NAMES = ("score", "delta")


def parts(
    better: npt.NDArray[np.bool_], worse: npt.NDArray[np.bool_]
) -> list[npt.NDArray[np.bool_]]:
    """Better, neither, worse."""
    return [better, ~(better | worse), worse]


def share(chosen: npt.NDArray[np.bool_]) -> str:
    """In percent."""
    return f"{chosen.mean():.0%}"


def main() -> int:
    """Join, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, metavar="PAIRS|RATED.csv")
    parser.add_argument("ratings", type=Path, nargs="?", metavar="RATINGS.csv")
    parser.add_argument("--threshold", type=float, default=0.4)
    parser.add_argument("--out", type=Path, metavar="RATED.csv", help="write the table")
    args = parser.parse_args()
    try:
        photos = (
            rated_photos(args.source, args.ratings) if args.ratings else read_table(args.source)
        )
    except TriggerError as error:
        parser.exit(1, f"{error}\n")
    if args.out:
        write_atomically(args.out, to_csv(photos))
    print(report(photos, args.threshold), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
