"""What do enhancers repair, side by side? The same photos and faults for each of them.

``python benchmarks/enhancers.py PHOTOS [--enhancer NAME|PATH ...] [--photos N] [--out FILE.json]
[--sheet FILE.png]``, where PHOTOS is a folder of flawless photos. The most detailed window of each
is degraded in every way of ``REPAIRED`` and enhanced. Written are means of PSNR and SSIM against
the flawless photo and of delta by the packaged scorer, CPU seconds per megapixel, the peak memory
of a process that does nothing else (libraries included), and a contact sheet to look at: a number
knows neither halos nor wax skin. "perfect" is the flawless photo itself, the delta that could be
had.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw
from tqdm import tqdm

from faults import FAULTS
from pipelines.data.pixels import Pixels, to_float
from pipelines.degradation.model import degrade
from pipelines.demo.photos import most_detailed_window
from pipelines.enhancers import ENHANCERS, enhance_pixels, load_enhancer
from pipelines.evaluation.fidelity import capped_psnr, similarity
from pipelines.scorers import DEFAULT_SCORER, checked_opinions, load_scorer, mean_score
from trigger.errors import MissingExtra, ModelError
from trigger.photo import find_photos, read_photo

SIDE = 256
REPAIRED = (
    "none",
    "noise 10",
    "noise 25",
    "JPEG q30",
    "JPEG q10",
    "Gaussian 1.5 px",
    "motion 9 px",
    "saturated",
    "mixed",
)
MEASURES = {"psnr": "PSNR, dB", "ssim": "SSIM", "delta": "delta, points of 1..10"}


def photo_windows(folder: Path, count: int) -> list[Pixels]:
    """The most detailed window of photos spread evenly over a folder."""
    paths = list(find_photos([folder]))
    chosen = [paths[i] for i in np.linspace(0, len(paths) - 1, min(count, len(paths)), dtype=int)]
    windows = []
    for path in chosen:
        pixels = read_photo(path).pixels
        left, top, right, bottom = most_detailed_window(pixels, SIDE, SIDE)
        windows.append(pixels[top:bottom, left:right])
    return windows


def degraded_versions(photos: Sequence[Pixels]) -> list[list[Pixels]]:
    """For each fault, each photo with it."""
    return [
        [
            degrade(to_float(photo), FAULTS[fault], np.random.default_rng(number))
            for number, photo in enumerate(photos)
        ]
        for fault in REPAIRED
    ]


def enhance_all(spec: str, versions: list[list[Pixels]]) -> tuple[list[list[Pixels]], float, float]:
    """Enhance all; also CPU seconds per megapixel and the peak memory of this process in MB."""
    cv2.setNumThreads(1)
    enhancer = load_enhancer(spec)
    enhance_pixels(enhancer, versions[0][0])  # what is loaded with the first photo is not counted
    begin = time.process_time()
    results = [[enhance_pixels(enhancer, photo) for photo in photos] for photos in versions]
    seconds = time.process_time() - begin
    megapixels = sum(photo.shape[0] * photo.shape[1] for row in versions for photo in row) / 1e6
    return results, seconds / megapixels, peak_memory()


def peak_memory() -> float:
    """Of this process in MB (Linux). ru_maxrss would count what the parent held at the fork."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure(
    originals: Sequence[Pixels], degraded: Sequence[Pixels], enhanced: Sequence[Pixels]
) -> dict[str, float]:
    """Means of the measures over photos."""
    scorer = load_scorer(DEFAULT_SCORER)
    before, after = (
        [float(mean_score(checked_opinions(scorer, [photo]))[0]) for photo in photos]
        for photos in (degraded, enhanced)
    )
    pairs = list(zip(originals, enhanced, strict=True))
    return {
        "psnr": float(np.mean([capped_psnr(*pair) for pair in pairs])),
        "ssim": float(np.mean([similarity(*pair) for pair in pairs])),
        "delta": float(np.mean(np.subtract(after, before))),
    }


def tables(report: dict[str, Any]) -> str:
    """Markdown: a table for each measure, and one of costs."""
    faults = list(REPAIRED)
    head = f"| {' | '.join(faults)} |\n|---|{'---|' * len(faults)}\n"
    text = ""
    for measure_name, title in MEASURES.items():
        text += f"| {title} (n = {report['photos']}) {head}"
        for name, row in report["enhancers"].items():
            values = " | ".join(f"{row['faults'][fault][measure_name]:.4g}" for fault in faults)
            text += f"| {name} | {values} |\n"
        text += "\n"
    text += "| cost | CPU s per megapixel | peak MB |\n|---|---|---|\n"
    for name, row in report["enhancers"].items():
        if "seconds_per_megapixel" in row:
            text += f"| {name} | {row['seconds_per_megapixel']:.3g} | {row['peak_mb']:.0f} |\n"
    return text


def contact_sheet(columns: dict[str, list[Pixels]], target: Path) -> None:
    """One photo: a row for each fault, a column for each enhancer."""
    line = 16
    sheet = Image.new("RGB", (len(columns) * SIDE, len(REPAIRED) * (SIDE + line)), "white")
    draw = ImageDraw.Draw(sheet)
    for x, (name, photos) in enumerate(columns.items()):
        for y, (fault, photo) in enumerate(zip(REPAIRED, photos, strict=True)):
            corner = (x * SIDE, y * (SIDE + line))
            draw.text((corner[0] + 4, corner[1] + 2), f"{name}: {fault}", fill="black")
            sheet.paste(Image.fromarray(photo), (corner[0], corner[1] + line))
    sheet.save(target)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="PHOTOS")
    parser.add_argument("--enhancer", action="append", metavar="NAME|PATH", help="default: all")
    parser.add_argument("--photos", type=int, default=20, metavar="N")
    parser.add_argument("--out", type=Path, default=Path("enhancers.json"))
    parser.add_argument("--sheet", type=Path, default=Path("enhancers.png"))
    args = parser.parse_args()
    originals = photo_windows(args.folder, args.photos)
    degraded = degraded_versions(originals)
    results = {"input": degraded, "perfect": [originals] * len(REPAIRED)}
    report: dict[str, Any] = {"photos": len(originals), "side": SIDE, "enhancers": {}}
    costs: dict[str, tuple[float, float]] = {}
    for spec in tqdm(args.enhancer or sorted(ENHANCERS), "enhancers", disable=None):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            try:
                results[spec], *cost = process.submit(enhance_all, spec, degraded).result()
            except (ModelError, MissingExtra) as error:
                print(f"skipped: {error}", file=sys.stderr)
            else:
                costs[spec] = (cost[0], cost[1])
    for name, versions in results.items():
        row: dict[str, Any] = {
            "faults": {
                fault: measure(originals, degraded[i], versions[i])
                for i, fault in enumerate(REPAIRED)
            }
        }
        if name in costs:
            row["seconds_per_megapixel"], row["peak_mb"] = costs[name]
        report["enhancers"][name] = row
    args.out.write_text(json.dumps(report, indent=2) + "\n")
    contact_sheet({name: [photos[0] for photos in results[name]] for name in results}, args.sheet)
    print(tables(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
