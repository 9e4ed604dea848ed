"""``trigger tid-ratings``: what people would gain if a perfect enhancer gave back the original.

TID2013 holds no before/after ratings, but it holds the human score of each distorted photo. The
gain of the original over it, binned to 2, 1, 0 and -1, is what a rater of a perfect enhancer
would answer.
"""

from __future__ import annotations

import argparse
import io
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
from PIL import Image
from tqdm import tqdm

from pipelines.rated.tid2013 import read_scores, read_tid2013
from trigger.files import write_atomically
from trigger.photo import find_photos, photo_hash, read_photo_bytes

# Points of TID2013's 0..9 scale. 0.3 is the spread of its scores; one point is the step from
# "barely visible" to "visible", 2.5 the step to "annoying".
SIGNIFICANT, MODERATE, REGRESSED = 2.5, 1.0, -0.3


def rating_of(gain: float) -> int:
    """Bin the human gain of the original to a rating."""
    if gain >= SIGNIFICANT:
        return 2
    if gain >= MODERATE:
        return 1
    return -1 if gain <= REGRESSED else 0


def write_ratings(folder: Path, flawless: list[Path], out: Path) -> pd.DataFrame:
    """Write the re-made photos as PNG and ``ratings.csv`` beside them.

    Args:
        folder: TID2013's originals and scores.
        flawless: photos known to be flawless, rated neutral by definition: TID2013 shows people
            so few undistorted photos that a model would learn to alert on everything.
        out: where to write.
    """
    out.mkdir(parents=True, exist_ok=True)
    numbers = sorted({int(number) for number in read_scores(folder)["kodak"]})
    with ProcessPoolExecutor(os.cpu_count(), get_context("forkserver")) as pool:
        scenes = pool.map(partial(_write_scene, folder, out), numbers)
        progress = tqdm(scenes, "TID2013", len(numbers), unit="scene", disable=None)
        rated = [row for rows in progress for row in rows]
    table = pd.DataFrame([*rated, *(_flawless_row(path) for path in find_photos(flawless))])
    write_atomically(out / "ratings.csv", table.to_csv(index=False).encode())
    return table


def _flawless_row(path: Path) -> dict[str, str | int]:
    return {
        "path": str(path.resolve()),
        "rating": 0,
        "scene": photo_hash(read_photo_bytes(path)),
        "rater": "flawless",
        "enhancer": "original",
    }


def _write_scene(folder: Path, out: Path, number: int) -> list[dict[str, str | int]]:
    scene = photo_hash(read_photo_bytes(folder / f"kodak{number:02d}.png"))
    rows: list[dict[str, str | int]] = []
    for photo in read_tid2013(folder, {number}):
        content = io.BytesIO()
        Image.fromarray(photo.pixels).save(content, "PNG", compress_level=1)
        path = out / f"{photo.scene}-{photo.type:02d}-{photo.level}.png"
        write_atomically(path, content.getvalue())
        rows.append(
            {
                "path": path.name,
                "rating": rating_of(photo.gain),
                "scene": scene,
                "rater": "tid2013",
                "enhancer": "original",
            }
        )
    return rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``trigger tid-ratings``."""
    parser.description = (
        "Make ratings from TID2013: its distortions are made again, and the human gain of the "
        "original over each is binned to 2, 1, 0 and -1. Writes the photos and ratings.csv."
    )
    parser.epilog = "example: trigger tid-ratings rated/tid2013 --out ratings"
    parser.add_argument("tid", type=Path, help="folder with kodakNN.png and mos.csv")
    parser.add_argument(
        "--flawless",
        type=Path,
        nargs="+",
        default=[],
        metavar="PHOTOS",
        help="flawless photos or folders of them, added as neutral (rater 'flawless', not human)",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for photos and ratings.csv")


def run(args: argparse.Namespace) -> int:
    """Write photos and ratings."""
    table = write_ratings(args.tid, args.flawless, args.out)
    print(f"{len(table)} ratings of {table['scene'].nunique()} scenes in {args.out}")  # noqa: T201
    return 0
