"""How well are JPEG artifacts removed, by the protocol that papers report?

``python benchmarks/artifacts.py PHOTOS [--quality Q ...] [--trained DIR ...] [--enhancer NAME ...]
[--published] [--out FILE.json]``, where PHOTOS is a folder of originals: for comparison with the
published ones, the 200 test photographs of BSDS500 ("B200"). Each is compressed by Pillow
(libjpeg, 4:2:0) and repaired by enhancers and by the networks that ``trigger train-enhancer``
wrote into DIR, named by it: those that learned one quality at that one, others at all.

PSNR over RGB; SSIM and PSNR-B as means over R, G and B; all of rounded 8-bit pixels, means over
photos. Parameters and multiply-adds per pixel are those of the network; CPU seconds per megapixel
are of all cores together, after a first photo.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import keras
import numpy as np
from skimage.metrics import peak_signal_noise_ratio
from tqdm import tqdm

from pipelines.data.pixels import Pixels, to_float, to_pixels
from pipelines.degradation.model import Factors, degrade
from pipelines.enhancers import enhance_pixels, load_enhancer
from pipelines.evaluation.fidelity import psnr_b, windowed_similarity
from pipelines.training.enhancers.networks import multiply_adds, repair
from pipelines.training.enhancers.recipes import load_trained
from trigger.photo import find_photos, read_photo

PUBLISHED = {
    10: {
        "JPEG": (25.83, 0.7584),
        "ARCNN": (27.02, 0.7930),
        "DPW-SDNet": (27.39, 0.8027),
        "S-Net": (27.42, 0.8066),
        "MemNet": (27.46, 0.8086),
        "MWCNN": (27.52, 0.8069),
        "RDN": (27.53, 0.8096),
        "IDCN": (27.69, 0.8136),
    },
    20: {
        "JPEG": (28.20, 0.8483),
        "ARCNN": (29.36, 0.8665),
        "DPW-SDNet": (29.67, 0.8752),
        "MemNet": (29.80, 0.8776),
        "MWCNN": (29.85, 0.8789),
        "RDN": (29.85, 0.8779),
        "S-Net": (29.86, 0.8782),
        "IDCN": (30.07, 0.8816),
    },
}
"""PSNR and SSIM on B200 in RGB, of the comparison in the paper on IDCN (Zheng et al., "Implicit
dual-domain convolutional network for robust color image compression artifact reduction", 2020)."""
Repair = Callable[[Pixels], Pixels]


@dataclass
class Row:
    """What one of the methods reached at one quality."""

    method: str
    quality: int
    psnr: float
    ssim: float
    psnr_b: float
    parameters: int | None = None
    multiply_adds_per_pixel: float | None = None
    seconds_per_megapixel: float | None = None
    trained_on_patches: int | None = None


def measure(
    method: str, quality: int, originals: list[Pixels], photos: list[Pixels], function: Repair
) -> Row:
    """Means over photos; ``photos`` are the compressed ones."""
    function(photos[0])
    begin = time.process_time()
    repaired = [function(photo) for photo in tqdm(photos, f"{method} q{quality}", disable=None)]
    seconds = time.process_time() - begin
    pairs = list(zip(originals, repaired, strict=True))
    return Row(
        method,
        quality,
        float(np.mean([peak_signal_noise_ratio(*pair) for pair in pairs])),
        float(np.mean([windowed_similarity(*pair) for pair in pairs])),
        float(np.mean([psnr_b(*pair) for pair in pairs])),
        seconds_per_megapixel=seconds / (sum(p.shape[0] * p.shape[1] for p in photos) / 1e6),
    )


def repair_with(network: keras.Model) -> Repair:
    """The network as a function on pixels."""
    return lambda photo: to_pixels(repair(network, to_float(photo)))


def table(rows: list[Row], published: bool) -> str:
    """Markdown, one table per quality."""
    text = ""
    for quality in sorted({row.quality for row in rows}):
        text += (
            f"| q{quality} | PSNR | SSIM | PSNR-B | parameters | multiply-adds per pixel "
            "| CPU s per megapixel |\n|---|---|---|---|---|---|---|\n"
        )
        if published:
            for method, (psnr, ssim) in PUBLISHED.get(quality, {}).items():
                text += f"| {method}, published | {psnr:.2f} | {ssim:.4f} | | | | |\n"
        for row in rows:
            if row.quality == quality:
                size = "" if row.parameters is None else f"{row.parameters:,}"
                work = row.multiply_adds_per_pixel
                text += (
                    f"| {row.method} | {row.psnr:.2f} | {row.ssim:.4f} | {row.psnr_b:.2f} | {size} "
                    f"| {'' if work is None else f'{work:,.0f}'} "
                    f"| {'' if row.method == 'JPEG' else f'{row.seconds_per_megapixel:.2f}'} |\n"
                )
        text += "\n"
    return text


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="PHOTOS")
    parser.add_argument("--quality", type=int, nargs="+", default=[10, 20])
    parser.add_argument("--trained", type=Path, nargs="+", default=[], metavar="DIR")
    parser.add_argument("--enhancer", nargs="+", default=["deblock"], metavar="NAME|PATH")
    parser.add_argument("--photos", type=int, metavar="N", help="only the first N")
    parser.add_argument("--published", action="store_true", help="add published figures of B200")
    parser.add_argument("--out", type=Path, default=Path("artifacts.json"))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    originals = [read_photo(path).pixels for path in find_photos([args.folder])][: args.photos]
    enhancers = [load_enhancer(spec) for spec in args.enhancer]
    rows = []
    for quality in args.quality:
        rng = np.random.default_rng(0)
        photos = [degrade(to_float(o), Factors(jpeg_quality=quality), rng) for o in originals]
        rows.append(measure("JPEG", quality, originals, photos, lambda photo: photo))
        for folder in args.trained:
            report = json.loads((folder / "report.json").read_text())
            if report["quality"] not in (None, quality):
                continue
            network = load_trained(report["network"], folder / f"{report['network']}.weights.h5")
            row = measure(folder.resolve().name, quality, originals, photos, repair_with(network))
            row.parameters = report["parameters"]
            row.multiply_adds_per_pixel = multiply_adds(network)
            row.trained_on_patches = report["patches"]
            rows.append(row)
        for enhancer in enhancers:
            function = partial(enhance_pixels, enhancer)
            rows.append(measure(f"`{enhancer.name}`", quality, originals, photos, function))
    args.out.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    print(table(rows, args.published))
    return 0


if __name__ == "__main__":
    sys.exit(main())
