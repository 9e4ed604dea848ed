"""Does the score agree with people? The packaged models and their peers, in one run.

``python benchmarks/quality.py DATA [--out quality.json] [--cache scores.json]`` with DATA laid out
as for ``trigger packaged rebuild``. Only held-out scenes are used, which none of our models was
trained on. Every method turns a photo into one number that grows with the improvement possible:
ours as it is, measures of quality or sharpness with their sign turned. Intervals are 95 % bootstrap
intervals over scenes; an asterisk marks where the trigger is ahead of a method and the paired
interval of the difference agrees, unless there are too few scenes for one. Published NIMA takes
part if DATA/weights holds its files; needs ``pip install '.[bench]'``.

With --cache, scores are kept by pixels and version of the method: after a new model is packaged,
only its own are measured again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from brisque import BRISQUE
from cleanvision.issue_managers.image_property import BlurrinessProperty
from PIL import Image
from tqdm import tqdm

from camera import CAMERA
from faults import FAULTS
from pipelines.data.pixels import Pixels, to_float
from pipelines.data.splits import is_held_out
from pipelines.degradation.hard_negatives import HARD_NEGATIVES, hard_negative
from pipelines.degradation.model import degrade
from pipelines.opinions.derived_ratings import rating_of, rating_of_score
from pipelines.opinions.live_challenge import read_live_challenge
from pipelines.opinions.tid2013 import read_scores, read_tid2013, scene_numbers
from pipelines.scorers import Scorer, checked_opinions, load_scorer, mean_score
from quality_table import OURS, PAIRS, WORSE, Row, alerts, as_markdown, table
from trigger.assessment import Trigger
from trigger.files import write_atomically
from trigger.photo import find_photos, photo_hash, read_photo, read_photo_bytes

Scores = dict[str, float]


class _Brisque(BRISQUE):
    def scale_features(self, features: list[Any]) -> Any:
        # Newer NumPy refuses to turn arrays of one element into numbers.
        return super().scale_features([np.ravel(value)[0] for value in features])


@dataclass(frozen=True)
class Method:
    """A way to measure how much a photo could improve.

    Attributes:
        name: in the table.
        version: changes whenever its numbers can.
        measure: (H, W, 3) uint8 to a number that grows with the improvement possible.
    """

    name: str
    version: str
    measure: Callable[[Pixels], float]


def load_methods(weights: Path) -> list[Method]:
    """All methods, ours first."""
    trigger, brisque, sharpness = Trigger(), _Brisque(url=False), BlurrinessProperty()

    def laplacian(photo: Pixels) -> float:
        gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
        return -float(cv2.Laplacian(gray, cv2.CV_64F).var())

    def blur(photo: Pixels) -> float:
        return -float(sharpness.calculate(Image.fromarray(photo))["blurriness"])

    published = {
        f"published NIMA, {kind}": str(path)
        for kind in ("technical", "aesthetic")
        if (path := weights / f"nima_mobilenet_{kind}.tflite").is_file()
    }
    scorers = {name: load_scorer(spec) for name, spec in {"our NIMA": "nima", **published}.items()}
    cv = version("opencv-python-headless")
    return [
        Method(OURS, trigger.model.sha256, lambda photo: trigger.assess(photo).score),
        *(
            Method(name, f"{scorer.version} {scorer.preprocessing}", partial(_inverse, scorer))
            for name, scorer in scorers.items()
        ),
        Method("BRISQUE", version("brisque"), lambda photo: float(brisque.score(photo))),
        Method("Laplacian variance", cv, laplacian),
        Method("cleanvision blur", version("cleanvision"), blur),
    ]


def _inverse(scorer: Scorer, photo: Pixels) -> float:
    return -float(mean_score(checked_opinions(scorer, [photo]))[0])


class Measuring:
    """All methods in one process, with what earlier runs measured."""

    def __init__(self, weights: Path, known: dict[str, float]) -> None:
        self._methods = load_methods(weights)
        self._known = known
        self.new: dict[str, float] = {}

    def __call__(self, photo: Pixels) -> Scores:
        """The score of every method for (H, W, 3) uint8."""
        pixels = hashlib.sha256(f"{photo.shape}".encode() + photo.tobytes()).hexdigest()
        scores: Scores = {}
        for method in self._methods:
            key = f"{method.name}, {method.version}, {pixels}"
            if key not in self._known:
                self._known[key] = self.new[key] = method.measure(photo)
            scores[method.name] = self._known[key]
        return scores


def live_photo(path: Path, score: float, measure: Measuring) -> list[Row]:
    """A phone photo with its human score (1..10)."""
    data = read_photo_bytes(path)
    if not is_held_out(photo_hash(data)):
        return []
    improvable = rating_of_score(score) >= 1
    pixels = read_photo(data, name=str(path)).pixels
    return [Row("LIVE Challenge", photo_hash(data), -score, improvable, measure(pixels))]


def tid_scene(folder: Path, number: int, measure: Measuring) -> list[Row]:
    """All distortions of one TID2013 scene with the human gain of the original over them."""
    scene = photo_hash(read_photo_bytes(folder / f"kodak{number:02d}.png"))
    if not is_held_out(scene):
        return []
    return [
        Row("TID2013", scene, rated.gain, rating_of(rated.gain) >= 1, measure(rated.pixels))
        for rated in read_tid2013(folder, {number})
        if rated.type  # people did not rate originals
    ]


def clean_scene(path: Path, measure: Measuring) -> list[Row]:
    """A flawless photo, a version of it for each fault, and each hard negative."""
    data = read_photo_bytes(path)
    scene = photo_hash(data)
    if not is_held_out(scene):
        return []
    clean = read_photo(data, name=str(path)).pixels
    rng = np.random.default_rng(int(scene[:12], 16))
    versions = {"clean": clean} | {
        name: degrade(to_float(clean), FAULTS[name], rng) for name in PAIRS
    }
    versions |= {kind: hard_negative(kind, clean, rng) for kind in HARD_NEGATIVES}
    versions |= {name: fault(clean, rng) for name, fault in CAMERA.items()}
    return [
        Row(kind, scene, np.nan, kind in WORSE, measure(pixels))
        for kind, pixels in versions.items()
    ]


Job = Callable[[Measuring], list[Row]]


def jobs(data: Path) -> Iterator[Job]:
    """One piece of work per photo or scene, the largest first."""
    rated = data / "rated"
    for number in scene_numbers(read_scores(rated / "tid2013")):
        yield partial(tid_scene, rated / "tid2013", number)
    for path in find_photos([data / "clean"]):
        yield partial(clean_scene, path)
    for photo in read_live_challenge(rated / "live_challenge"):
        yield partial(live_photo, photo.path, photo.score)


def measure_all(data: Path, workers: int, kept: Path | None) -> list[Row]:
    """Score everything; ``kept`` is a file of earlier scores to use and add to."""
    known: dict[str, float] = json.loads(kept.read_text()) if kept and kept.exists() else {}
    work = list(jobs(data))
    rows: list[Row] = []
    start = (data / "weights", known)
    with ProcessPoolExecutor(workers, get_context("forkserver"), _start, start) as pool:
        results = pool.map(_run, work)
        for found, new in tqdm(results, "photos and scenes", len(work), disable=None):
            rows += found
            known |= new
    if kept:
        write_atomically(kept, json.dumps(known).encode())
    return rows


def _start(weights: Path, known: dict[str, float]) -> None:
    global _measuring
    cv2.setNumThreads(1)
    _measuring = Measuring(weights, known)


def _run(job: Job) -> tuple[list[Row], dict[str, float]]:
    _measuring.new = {}
    return job(_measuring), _measuring.new


_measuring: Measuring


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with rated/, clean/ and weights/")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write all figures as JSON")
    parser.add_argument("--cache", type=Path, help="file of scores to use and add to")
    args = parser.parse_args()
    rows = measure_all(args.data, args.workers, args.cache)
    measures, shares = table(rows), alerts(rows)
    print(as_markdown(measures))
    print("alerts:", ", ".join(f"{group} {share:.0%}" for group, share in shares.items()))
    if args.out:
        args.out.write_text(json.dumps({"measures": measures, "alerts": shares}, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
