"""Do tiles at full resolution see what the reduced photo hides?

``python benchmarks/views.py PHOTOS... [--out FILE.json]`` with folders of good photos. Those whose
shorter side is at least 672 pixels are degraded at full resolution, and scored whole and in tiles
(``Trigger(views=...)``). Written are, for each degradation, how often the degraded photo scores
above its original ("order"; chance is 50 %), how well one threshold parts all degraded photos from
all originals (area under the ROC curve; chance is 0.5), and the median time of a photo.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from faults import FAULTS
from pipelines.data.pixels import Pixels, to_float
from pipelines.degradation.model import degrade
from trigger.assessment import Trigger
from trigger.photo import find_photos, read_photo
from trigger.views import REDUCED, VIEWS

SEEN = (
    "noise 5",
    "noise 10",
    "noise 25",
    "JPEG q30",
    "JPEG q10",
    "Gaussian 1.5 px",
    "Gaussian 3 px",
    "motion 9 px",
)


def compare(originals: npt.NDArray[np.float64], degraded: npt.NDArray[np.float64]) -> Any:
    """Order and area under the curve of (n,) scores."""
    labels = np.repeat([0, 1], len(originals))
    return {
        "order": float((degraded > originals).mean()),
        "auc": float(roc_auc_score(labels, np.concatenate([originals, degraded]))),
        "mean_score": float(degraded.mean()),
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTOS")
    parser.add_argument("--out", type=Path, default=Path("views.json"))
    args = parser.parse_args()
    triggers = {views: Trigger(views=views) for views in VIEWS}
    least = REDUCED * triggers["whole"].model.preprocessing.size
    scores: dict[str, dict[str, list[float]]] = {
        views: {fault: [] for fault in ("none", *SEEN)} for views in VIEWS
    }
    seconds: dict[str, list[float]] = {views: [] for views in VIEWS}

    def assess(fault: str, photo: Pixels) -> None:
        image = Image.fromarray(photo)
        for views, trigger in triggers.items():
            begin = time.perf_counter()
            scores[views][fault].append(trigger.assess(image).score)
            seconds[views].append(time.perf_counter() - begin)

    for number, path in enumerate(tqdm(list(find_photos(args.photos)), unit="photo", disable=None)):
        photo = read_photo(path).pixels
        if min(photo.shape[:2]) < least:
            continue
        assess("none", photo)
        for fault in SEEN:
            degraded = degrade(to_float(photo), FAULTS[fault], np.random.default_rng(number))
            assess(fault, degraded)
    report: dict[str, Any] = {"photos": len(scores["whole"]["none"])}
    print(f"| {report['photos']} photos | {' | '.join(SEEN)} |\n|---|{'---|' * len(SEEN)}")
    for views in VIEWS:
        originals = np.array(scores[views]["none"])
        faults = {f: compare(originals, np.array(scores[views][f])) for f in SEEN}
        report[views] = {"mean_score": float(originals.mean()), "faults": faults}
        report[views]["median_seconds"] = float(np.median(seconds[views]))
        for measure, shown in (("order", ".0%"), ("auc", ".2f")):
            row = " | ".join(format(values[measure], shown) for values in faults.values())
            print(f"| {views}, {measure} | {row} |")
    args.out.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
