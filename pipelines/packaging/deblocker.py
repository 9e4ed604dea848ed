"""Rebuild the packaged ``deblocker``:
``python -m pipelines.packaging.deblocker DATA --out build``.

DATA is laid out as for :mod:`pipelines.packaging.rebuild`; interrupted, it goes on where it stopped. The
network is packaged only if it beats the classical ``deblock`` on held-out photos at every quality,
by PSNR and by SSIM: most of the PSNR lies in colours, and blocks are seen in luminance.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.data.pixels import Pixels, to_float
from pipelines.degradation.model import Factors, degrade
from pipelines.enhancers.classical.shrinkage import Deblocking
from pipelines.enhancers.learned.deblocker import Deblocker
from pipelines.packaging.rebuild import command_line
from pipelines.packaging.repair_network import DATA_TABLE, Gains, gains_table, rebuild_network
from pipelines.training.enhancers import train as training

NAME = Deblocker.name
TRAINING = ["--epochs", "90", "--precision", "mixed_bfloat16"]
QUALITIES = (5, 10, 20, 40, 70)
CROPPED = (3, 5)
"""Rows and columns that are cut off a compressed photo, so that its grid begins elsewhere."""


def compressed(
    quality: int, corner: tuple[int, int], photo: Pixels, rng: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """A photo, and what is left of it by JPEG, both from ``corner`` on."""
    top, left = corner
    degraded = degrade(to_float(photo), Factors(jpeg_quality=quality), rng)
    return photo[top:, left:], degraded[top:, left:]


CASES = {
    f"q{quality}{suffix}": partial(compressed, quality, corner)
    for quality in QUALITIES
    for suffix, corner in (("", (0, 0)), (" cropped", CROPPED))
}


def card(report: dict[str, Any], quality: Mapping[str, Gains]) -> str:
    """The model card, from what was measured."""
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

Trained by `{Deblocker.built_by}` (step `pipelines.training.enhancers.train`) on {seen}, cut from
{report["photos"]["train"]} photographs and compressed by libjpeg (4:2:0, quality
{qualities}); {report["photos"]["held_out"]} photographs were
held out.

## Gain over the compressed photo, held-out photographs

PSNR over RGB, SSIM of luminance; "cropped" by {CROPPED[0]} rows and {CROPPED[1]} columns after
compression.

{gains_table(quality)}

## Data

{DATA_TABLE}
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
    rebuild_network(
        Deblocker,
        data,
        out,
        options=TRAINING,
        rival=Deblocking(),
        cases=CASES,
        card=card,
    )


if __name__ == "__main__":
    command_line(__doc__, rebuild)
