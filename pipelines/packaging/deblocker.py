"""Rebuild the packaged ``deblocker``.

The network is packaged only if it beats the classical ``deblock`` on held-out photos at every
quality, by PSNR and by SSIM: most of the PSNR is in colours, and blocks are seen in luminance.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from pipelines.data.pixels import Pixels, to_float
from pipelines.degradation.model import Factors, degrade
from pipelines.enhancers.classical.shrinkage import Deblocking
from pipelines.enhancers.learned.deblocker import Deblocker
from pipelines.packaging.enhancer import (
    DATA_TABLE,
    Candidate,
    Gains,
    gains_table,
    rebuild_enhancer,
)
from pipelines.training.enhancers import recipes
from pipelines.training.enhancers.report import EnhancerReport
from pipelines.training.options import EnhancerOptions

NAME = Deblocker.name
OPTIONS = EnhancerOptions(epochs=90, precision="mixed_bfloat16")
QUALITIES = (5, 10, 20, 40, 70)
CROPPED = (3, 5)
"""Rows and columns cropped from a compressed photo, which shifts its grid."""


def compressed(
    quality: int, corner: tuple[int, int], photo: Pixels, rng: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """A photo before and after JPEG compression, both cropped to begin at ``corner``."""
    top, left = corner
    degraded = degrade(to_float(photo), Factors(jpeg_quality=quality), rng)
    return photo[top:, left:], degraded[top:, left:]


CASES = {
    f"q{quality}{suffix}": partial(compressed, quality, corner)
    for quality in QUALITIES
    for suffix, corner in (("", (0, 0)), (" cropped", CROPPED))
}


def card(report: EnhancerReport, quality: Mapping[str, Gains]) -> str:
    """Write the model card from the measured figures."""
    qualities = " to ".join(map(str, recipes.QUALITIES))
    seen = f"{report.patches:,} patches of {report.patch_side}x{report.patch_side} pixels"
    return f"""\
# Deblocker

Repairs photos that JPEG has compressed, at any quality from {qualities}. The photo's own 8x8 grid
is found first; where none shows, the photo stays as it is. On the grid, the discrete cosine
transform of each block (YCbCr) passes a residual network of 3x3 convolutions over blocks, which
gives each of the 192 coefficients a gain and a shift; changes of a second set of blocks, half a
block to the right and down, are added, so that they reach across the borders.
{report.parameters:,} parameters, {report.multiply_adds_per_pixel:,.0f} multiply-adds per
pixel; float16 TFLite, checked by sha256 on load (`{NAME}.json`).

Trained by `{Deblocker.built_by}` (one step, `trigger train-enhancer`) on {seen}, cut from
{report.photos.train} photographs and compressed by libjpeg (4:2:0, quality
{qualities}); {report.photos.held_out} photographs were
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


def rebuild(data: Path, out: Path, *, show_progress: bool = False) -> list[Path]:
    """Train, convert, compare and package; see :func:`rebuild_enhancer`.

    Raises:
        TriggerError: photos do not fit, or the network does not beat ``deblock``.
    """
    candidate = Candidate(Deblocker, OPTIONS, Deblocking(), CASES, card)
    return rebuild_enhancer(candidate, data, out, show_progress=show_progress)
