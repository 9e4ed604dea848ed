"""Derive ratings from human scores: what raters of a perfect enhancer would answer.

Opinion data sets hold no before/after ratings, but a human score of each photo, and that bounds
how much a perfect enhancer could gain:

* TID2013 scores distorted photos whose originals are known: the human gain of the original,
  binned to 2, 1, 0 and -1.
* LIVE Challenge scores phone photos as taken: one that people find poor or bad could gain
  significantly, a fair one moderately, a good or excellent one nothing to speak of (the five
  words of ITU-R BT.500, each a fifth of the 0..100 scale that its raters saw).
* Photos known to be flawless are neutral by definition. Without them a model would learn to alert
  on everything, since the data sets hold few undistorted photos.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from pipelines.data.lock import working_in
from pipelines.data.processes import worker_processes
from pipelines.data.provenance import (
    Row,
    begin_unfinished,
    origins_of,
    photos_outside,
    put_in_place,
    record_rows,
)
from pipelines.data.tables import check_path, frame_bytes
from pipelines.opinions.live_challenge import read_live_challenge
from pipelines.opinions.tid2013 import read_scores, read_tid2013, scene_numbers
from pipelines.ratings.table import PERFECT
from trigger.console.progress import progress
from trigger.errors import OptionError, PhotoError
from trigger.files import resolved, write_atomically
from trigger.photo import photo_hash, read_photo_bytes
from trigger.photo.encode import encode

# Points of TID2013's 0..9 scale. 0.3 is the spread of its scores; one point is the step from
# "barely visible" to "visible", 2.5 the step to "annoying".
SIGNIFICANT, MODERATE, REGRESSED = 2.5, 1.0, -0.3
# Upper ends of "poor" and "fair" on 0..100, here on 1..10.
POOR, FAIR = 1 + 9 * 0.4, 1 + 9 * 0.6

logger = logging.getLogger(__name__)

RatingRow = dict[str, str | int]


def rating_of(gain: float) -> int:
    """Bin the human gain of the original to a rating."""
    if gain >= SIGNIFICANT:
        return 2
    if gain >= MODERATE:
        return 1
    return -1 if gain <= REGRESSED else 0


def rating_of_score(score: float) -> int:
    """Bin the human score (1..10) of a photo as taken to a rating."""
    return 2 if score < POOR else 1 if score < FAIR else 0


def derive_ratings(
    out: Path,
    *,
    tid: Path | None = None,
    live: Path | None = None,
    flawless: Sequence[Path] = (),
    show_progress: bool = False,
) -> pd.DataFrame:
    """Write ``ratings.csv``, and next to it the TID2013 photos, made again as PNG and on record.

    Photos that cannot be read are logged and skipped.

    Args:
        out: folder for the photos and ``ratings.csv``.
        tid: folder of TID2013's originals and scores.
        live: folder of LIVE Challenge's photos and scores.
        flawless: photos known to be flawless, or folders of them.
        show_progress: show a progress bar.

    Returns:
        The table: columns path, rating, scene, rater (which source) and enhancer.

    Raises:
        OptionError: neither ``tid`` nor ``live`` is given, or ``out`` cannot be written.
        DataError: a table of scores cannot be used.

    Example:
        >>> table = derive_ratings(Path("ratings"), live=Path("live_challenge"))  # doctest: +SKIP
        >>> table["rating"].mean()  # doctest: +SKIP
        0.62
    """
    if tid is None and live is None:
        raise OptionError("no human scores to derive ratings from: give --tid, --live or both")
    with working_in(out):
        known, clean = record_rows(out), photos_outside(out, flawless)
        phones = list(read_live_challenge(live)) if live is not None else []
        ratings = _remake(tid, out, known, show_progress) if tid is not None else []
        found = [(rated.path, rating_of_score(rated.score), "live_challenge") for rated in phones]
        found += [(path, 0, "flawless") for path in clean]
        for path, rating, rater in found:
            try:
                ratings.append(_rating(path, rating, rater))
            except PhotoError as error:
                logger.warning("skipped %s", error)
        table = pd.DataFrame(ratings)
        # As in training, a photo made from another belongs to the scene of that one.
        located = table.assign(path=[str(out / path) for path in table["path"]])
        table["scene"] = origins_of(located)["scene"]
        table["enhancer"] = PERFECT
        table = table[["path", "rating", "scene", "rater", "enhancer"]]
        write_atomically(out / "ratings.csv", frame_bytes(table))
    return table


def _remake(tid: Path, out: Path, known: list[Row], show_progress: bool) -> list[RatingRow]:
    """Make the photos of TID2013 again, and record what they were made from."""
    numbers = scene_numbers(read_scores(tid))
    unfinished = begin_unfinished(out)
    with worker_processes() as pool:
        scenes = pool.map(partial(_write_scene, tid, unfinished), numbers)
        made = list(
            progress(scenes, "TID2013", total=len(numbers), unit="scenes", shown=show_progress)
        )
    put_in_place(out, known, [row for _, record in made for row in record])
    return [rating for ratings, _ in made for rating in ratings]


def _rating(path: Path, rating: int, rater: str) -> RatingRow:
    photo = photo_hash(read_photo_bytes(path))
    place = check_path(str(resolved(path)))
    return {"photo": photo, "path": place, "rating": rating, "rater": rater}


def _write_scene(folder: Path, out: Path, number: int) -> tuple[list[RatingRow], list[Row]]:
    """Write the photos of a scene of TID2013; return their ratings and provenance."""
    original = folder / f"kodak{number:02d}.png"
    scene = photo_hash(read_photo_bytes(original))
    ratings: list[RatingRow] = []
    record = []
    for photo in read_tid2013(folder, {number}):
        content = encode(photo.pixels, "PNG", compress_level=1)
        path = out / f"{photo.scene}-{photo.type:02d}-{photo.level}.png"
        write_atomically(path, content)
        rater = "tid2013" if photo.type else "flawless"  # people did not rate originals
        made = {"photo": photo_hash(content), "path": path.name}
        ratings.append({**made, "rating": rating_of(photo.gain), "rater": rater})
        factors = json.dumps({"type": photo.type, "level": photo.level})
        facts = {"scene": scene, "source": original.name, "kind": "tid2013", "factors": factors}
        record.append(made | facts)
    return ratings, record
