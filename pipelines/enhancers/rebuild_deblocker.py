"""Rebuild the packaged ``deblocker``:
``python -m pipelines.enhancers.rebuild_deblocker DATA --out build``.

DATA is laid out as for :mod:`pipelines.rebuild`; interrupted, it goes on where it stopped. The
network is packaged only if it beats the classical ``deblock`` on held-out photos at every quality,
by PSNR and by SSIM: most of the PSNR lies in colours, and blocks are seen in luminance.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from skimage.metrics import peak_signal_noise_ratio
from tqdm import tqdm

from pipelines.degradation import Factors, degrade
from pipelines.demo_photos import similarity
from pipelines.enhancers import Enhancer, enhance_pixels
from pipelines.enhancers import train as training
from pipelines.enhancers.deblocker import MODELS, Deblocker
from pipelines.enhancers.shrinkage import Deblocking
from pipelines.enhancers.tflite import to_tflite
from pipelines.model_files import content_version
from pipelines.packaged import package
from pipelines.pixels import Pixels, to_float
from pipelines.rebuild import command_line, read_report
from trigger.errors import TriggerError
from trigger.files import write_atomically

NAME = Deblocker.name
TRAINING = ["--epochs", "90", "--precision", "mixed_bfloat16"]
QUALITIES = (5, 10, 20, 40, 70)
DETAIL = 512
"""Side of what is compared of larger photos."""
CROPPED = (3, 5)
"""Rows and columns that are cut off a compressed photo, so that its grid begins elsewhere."""


def compare(photos: Sequence[Pixels], enhancer: Enhancer) -> dict[str, dict[str, float]]:
    """Mean gains over the compressed photo, by quality: "q10", "q10 cropped" and so on."""
    report: dict[str, dict[str, float]] = {}
    photos = [photo[:DETAIL, :DETAIL] for photo in photos]
    for quality in QUALITIES:
        for suffix, (top, left) in (("", (0, 0)), (" cropped", CROPPED)):
            gains = []
            for photo in tqdm(photos, f"{enhancer.name} q{quality}{suffix}", disable=None):
                factors = Factors(jpeg_quality=quality)
                degraded = degrade(to_float(photo), factors, np.random.default_rng(0))[top:, left:]
                original = photo[top:, left:]
                enhanced = enhance_pixels(enhancer, degraded)
                gains.append(
                    (
                        peak_signal_noise_ratio(original, enhanced)
                        - peak_signal_noise_ratio(original, degraded),
                        similarity(original, enhanced) - similarity(original, degraded),
                    )
                )
            psnr, ssim = np.mean(gains, axis=0)
            report[f"q{quality}{suffix}"] = {"psnr_gain": float(psnr), "ssim_gain": float(ssim)}
    return report


def card(report: dict[str, Any], quality: dict[str, dict[str, dict[str, float]]]) -> str:
    """The model card, from what was measured."""
    names = list(quality)
    rows = [
        f"| {case} | "
        + " | ".join(
            f"{quality[name][case]['psnr_gain']:+.2f} dB, {quality[name][case]['ssim_gain']:+.4f}"
            for name in names
        )
        + " |"
        for case in quality[names[0]]
    ]
    qualities = " to ".join(map(str, training.QUALITIES))
    seen = f"{report['patches']:,} patches of {report['patch_side']}x{report['patch_side']} pixels"
    return f"""\
# Deblocker

Repairs photos that JPEG has compressed, at any quality from {qualities}. The photo's own 8x8 grid
is found first; where none shows, the photo stays as it is. On the grid, the discrete cosine
transform of each block (YCbCr) passes a residual network of 3x3 convolutions over blocks, which
gives each of the 192 coefficients a gain and a shift; changes of a second set of blocks, half a
block to the right and down, are added, so that they reach across the borders.
{report["parameters"]:,} parameters, {report["multiply_adds_per_pixel"]:,.0f} multiply-adds per
pixel; float16 TFLite, checked by sha256 on load (`{NAME}.json`).

Trained by `{Deblocker.built_by}` (step `pipelines.enhancers.train`) on {seen}, cut from
{report["photos"]["train"]} photographs and compressed by libjpeg (4:2:0, quality
{qualities}); {report["photos"]["held_out"]} photographs were
held out.

## Gain over the compressed photo, held-out photographs

PSNR over RGB, SSIM of luminance; "cropped" by {CROPPED[0]} rows and {CROPPED[1]} columns after
compression.

| quality | {" | ".join(f"`{name}`" for name in names)} |
|---|{"---|" * len(names)}
{chr(10).join(rows)}

## Data

| set | licence |
|---|---|
| BSDS500 train + val, 300 photographs | research |
| CQ100, Urban100/SunHays, wallpapers: 98 sharp photographs | CC BY-SA, Flickr CC, mixed |

None of the photographs is part of this package.

## Not for

Photos that are hardly compressed: most show no grid and stay as they are, but where an older,
stronger compression shows through, that is repaired. Photos scaled after compression, other codecs
(WebP, HEIC, video), drawings and screenshots. It restores what is likely; it does not bring back
what was really there.
"""


def rebuild(data: Path, out: Path) -> None:
    """Train, convert, compare and package.

    Raises:
        TriggerError: photos do not fit, or the network does not beat ``deblock``.
    """
    folder = out / NAME
    options = [NAME, str(data / "clean"), "--out", str(folder), *TRAINING]
    if not (folder / "report.json").exists():
        training.train(training.parse(options))
    report = read_report(folder)
    if report["quality"] is not None:
        raise TriggerError(
            f"{folder} holds a network for JPEG quality {report['quality']} alone; give another "
            "--out"
        )
    network = training.load_network(NAME, folder / f"{NAME}.weights.h5")
    file, text = folder / f"{NAME}.tflite", folder / f"{NAME}.md"
    write_atomically(file, to_tflite(network))
    held_out = training.read_photos([data / "clean"], training.RECIPES[NAME].side)[1]
    quality = {e.name: compare(held_out, e) for e in (Deblocker(file), Deblocking())}
    ours, classical = quality.values()
    lost = [
        case
        for case, gains in ours.items()
        if any(gain <= classical[case][measure] for measure, gain in gains.items())
    ]
    if lost:
        raise TriggerError(
            f"{NAME} does not beat deblock at {', '.join(lost)}, so it is not packaged; train on "
            f"with python -m pipelines.enhancers.train {NAME} {data / 'clean'} --out {folder} "
            f"--init {folder / NAME}.weights.h5 {' '.join(TRAINING)}, and run this again"
        )
    write_atomically(text, card(report, quality).encode())
    facts = {"training": report, "quality": quality, "trained_by": Deblocker.built_by}
    package(file, text, MODELS, content_version(file), facts)
    print(f"packaged: {file.name}")  # noqa: T201


if __name__ == "__main__":
    command_line(__doc__, rebuild)
