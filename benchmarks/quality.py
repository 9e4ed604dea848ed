"""Does the score agree with people? The packaged models beside their peers, in one run.

``python benchmarks/quality.py DATA [--out quality.json]`` with DATA laid out as for
``python -m pipelines.rebuild``. Only held-out scenes are used, which none of our models was trained
on. Every method turns a photo into one number that grows with what there is to mend: ours as it
is, measures of quality or sharpness with their sign turned. Intervals are 95 % bootstrap intervals
over scenes. Published NIMA takes part if DATA/weights holds its files; needs ``pip install
'.[bench]'``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter
from brisque import BRISQUE
from cleanvision.issue_managers.image_property import BlurrinessProperty
from PIL import Image
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score
from tqdm import tqdm

from pipelines.degradation import Factors, degrade
from pipelines.pixels import Pixels, to_float
from pipelines.rated.derived_ratings import rating_of, rating_of_score
from pipelines.rated.live_challenge import read_live_challenge
from pipelines.rated.tid2013 import read_scores, read_tid2013
from pipelines.scorers import load_scorer, mean_score
from pipelines.splits import is_held_out
from trigger.assessment import Trigger
from trigger.photo import find_photos, photo_hash, read_photo, read_photo_bytes

RESAMPLES = 1000
BINS = np.arange(1, 11)
PAIRS = {
    "noise 10": Factors(read_noise=10 / 255),
    "noise 25": Factors(read_noise=25 / 255),
    "Gaussian blur 1.5 px": Factors("gaussian", 1.5),
    "motion blur 9 px": Factors("motion", 9, 30),
    "JPEG q30": Factors(jpeg_quality=30),
    "JPEG q10": Factors(jpeg_quality=10),
}


@dataclass(frozen=True)
class Row:
    """One photo with what is known of it and what every method says.

    Attributes:
        group: which set it belongs to, or for pairs the degradation ("clean" for the original).
        scene: hash of the original photo.
        damage: how bad people find it, in any unit; NaN for pairs.
        improvable: people would rate a perfect enhancer "moderate improvement" or better.
        scores: method to number.
    """

    group: str
    scene: str
    damage: float
    improvable: bool
    scores: dict[str, float]


class _Brisque(BRISQUE):
    def scale_features(self, features: list[Any]) -> Any:
        # Newer NumPy refuses to turn arrays of one element into numbers.
        return super().scale_features([np.ravel(value)[0] for value in features])


@cache
def methods(weights: Path) -> dict[str, Callable[[Pixels], float]]:
    """Every method by name: (H, W, 3) uint8 to a number that grows with what there is to mend."""
    trigger, nima, brisque = Trigger(), load_scorer("nima"), _Brisque(url=False)
    sharpness = BlurrinessProperty()

    def laplacian(photo: Pixels) -> float:
        gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
        return -float(cv2.Laplacian(gray, cv2.CV_64F).var())

    found: dict[str, Callable[[Pixels], float]] = {
        "trigger": lambda photo: trigger.assess(photo).score,
        "our NIMA": lambda photo: -float(mean_score(nima.score([photo]))[0]),
        "BRISQUE": lambda photo: float(brisque.score(photo)),
        "Laplacian variance": laplacian,
        "cleanvision blur": lambda photo: (
            -float(sharpness.calculate(Image.fromarray(photo))["blurriness"])
        ),
    }
    for kind in ("technical", "aesthetic"):
        path = weights / f"nima_mobilenet_{kind}.tflite"
        if path.is_file():
            runner = Interpreter(str(path)).get_signature_runner()
            found[f"published NIMA, {kind}"] = partial(_published, runner)
    return found


def _published(runner: Any, photo: Pixels) -> float:
    small = Image.fromarray(photo).resize((224, 224), Image.Resampling.BILINEAR)
    (name,) = runner.get_input_details()
    outputs = runner(**{name: np.asarray(small, np.float32)[None] / 127.5 - 1})
    return -float(next(iter(outputs.values()))[0] @ BINS)


def live_photo(path: Path, score: float, weights: Path) -> list[Row]:
    """A phone photo with its human score (1..10)."""
    data = read_photo_bytes(path)
    if not is_held_out(photo_hash(data)):
        return []
    improvable = rating_of_score(score) >= 1
    pixels = read_photo(data, name=str(path)).pixels
    scores = {name: method(pixels) for name, method in methods(weights).items()}
    return [Row("LIVE Challenge", photo_hash(data), -score, improvable, scores)]


def tid_scene(folder: Path, number: int, weights: Path) -> list[Row]:
    """All distortions of one TID2013 scene with the human gain of the original over them."""
    scene = photo_hash(read_photo_bytes(folder / f"kodak{number:02d}.png"))
    if not is_held_out(scene):
        return []
    return [
        Row(
            "TID2013",
            scene,
            rated.gain,
            rating_of(rated.gain) >= 1,
            {name: method(rated.pixels) for name, method in methods(weights).items()},
        )
        for rated in read_tid2013(folder, {number})
    ]


def clean_scene(path: Path, weights: Path) -> list[Row]:
    """A flawless photo and one version of it for each degradation."""
    data = read_photo_bytes(path)
    scene = photo_hash(data)
    if not is_held_out(scene):
        return []
    clean = read_photo(data, name=str(path)).pixels
    rng = np.random.default_rng(int(scene[:12], 16))
    versions = {"clean": clean} | {
        name: degrade(to_float(clean), factors, rng) for name, factors in PAIRS.items()
    }
    return [
        Row(
            kind,
            scene,
            np.nan,
            kind != "clean",
            {name: method(pixels) for name, method in methods(weights).items()},
        )
        for kind, pixels in versions.items()
    ]


def jobs(data: Path) -> Iterator[Callable[[], list[Row]]]:
    """One piece of work per photo or scene."""
    rated, weights = data / "rated", data / "weights"
    for photo in read_live_challenge(rated / "live_challenge"):
        yield partial(live_photo, photo.path, photo.score, weights)
    for number in sorted({int(kodak) for kodak in read_scores(rated / "tid2013")["kodak"]}):
        yield partial(tid_scene, rated / "tid2013", number, weights)
    for path in find_photos([data / "clean"]):
        yield partial(clean_scene, path, weights)


def measure(data: Path, workers: int) -> list[Row]:
    """Score everything."""
    work = list(jobs(data))
    rows: list[Row] = []
    with ProcessPoolExecutor(workers, get_context("forkserver")) as pool:
        results = pool.map(_run, work, chunksize=4)
        for result in tqdm(results, "photos and scenes", len(work), disable=None):
            rows += result
    return rows


def _run(job: Callable[[], list[Row]]) -> list[Row]:
    cv2.setNumThreads(1)
    return job()


def table(rows: list[Row]) -> dict[str, dict[str, Any]]:
    """Measure to n, scenes, prevalence and per method the value with its interval."""
    report: dict[str, dict[str, Any]] = {}
    for group in ("LIVE Challenge", "TID2013"):
        chosen = [row for row in rows if row.group == group]
        report[f"{group}: Spearman with human damage"] = _summary(chosen, _spearman)
        report[f"{group}: AUC-PR of improvable"] = _summary(chosen, _average_precision)
    for kind in PAIRS:
        chosen = [row for row in rows if row.group in (kind, "clean")]
        report[f"{kind} above clean twin"] = _summary(chosen, _ordered)
    return report


Measure = Callable[[list[Row], npt.NDArray[np.float64]], float]


def _summary(rows: list[Row], measure: Measure) -> dict[str, Any]:
    scenes = np.array([row.scene for row in rows])
    groups = [np.flatnonzero(scenes == scene) for scene in np.unique(scenes)]
    rng = np.random.default_rng(0)
    draws = [rng.integers(len(groups), size=len(groups)) for _ in range(RESAMPLES)]
    result: dict[str, Any] = {
        "n": len(rows),
        "scenes": len(groups),
        "prevalence": float(np.mean([row.improvable for row in rows])),
    }
    for method in rows[0].scores:
        scores = np.array([row.scores[method] for row in rows])
        samples = []
        for draw in draws:
            picked = np.concatenate([groups[i] for i in draw])
            samples.append(measure([rows[i] for i in picked], scores[picked]))
        low, high = np.nanquantile(samples, [0.025, 0.975])
        result[method] = {"value": measure(rows, scores), "interval": [float(low), float(high)]}
    return result


def _spearman(rows: list[Row], scores: npt.NDArray[np.float64]) -> float:
    return float(spearmanr(scores, [row.damage for row in rows])[0])


def _average_precision(rows: list[Row], scores: npt.NDArray[np.float64]) -> float:
    return float(average_precision_score([row.improvable for row in rows], scores))


def _ordered(rows: list[Row], scores: npt.NDArray[np.float64]) -> float:
    clean = {row.scene: s for row, s in zip(rows, scores, strict=True) if not row.improvable}
    above = [s > clean[row.scene] for row, s in zip(rows, scores, strict=True) if row.improvable]
    return float(np.mean(above))


def as_markdown(report: dict[str, dict[str, Any]]) -> str:
    """The table, methods as columns."""
    names = [name for name in next(iter(report.values())) if name not in _COUNTS]
    lines = [
        f"| measure | n | {' | '.join(names)} |",
        f"|---|---|{'---|' * len(names)}",
    ]
    for measure_name, entry in report.items():
        cells = [
            f"{entry[name]['value']:.3f} ({entry[name]['interval'][0]:.2f}..."
            f"{entry[name]['interval'][1]:.2f})"
            for name in names
        ]
        lines.append(f"| {measure_name} | {entry['n']} | {' | '.join(cells)} |")
    return "\n".join(lines)


_COUNTS = {"n", "scenes", "prevalence"}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with rated/, clean/ and weights/")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write all figures as JSON")
    args = parser.parse_args()
    report = table(measure(args.data, args.workers))
    print(as_markdown(report))
    for name, entry in report.items():
        print(f"{name}: {entry['scenes']} scenes, prevalence {entry['prevalence']:.3f}")
    if args.out:
        args.out.write_text(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
