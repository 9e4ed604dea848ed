"""Rebuild the packaged ``restorer``.

The network is trained on the output of the packaged ``deblocker``, so rebuild that one first. It is
packaged only if it beats the repairs of ``classical`` on held-out photos at every kind of fault and
on flawless ones, by PSNR and by SSIM. Neither takes overexposure back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from pipelines.data.pixels import FloatPhoto, Pixels
from pipelines.degradation.model import KINDS, Kind, random_factors
from pipelines.enhancers.base import PhotoEnhancer
from pipelines.enhancers.classical.enhancer import ClassicalEnhancer, repair
from pipelines.enhancers.classical.shrinkage import deblock
from pipelines.enhancers.learned.detail import keep_detail
from pipelines.enhancers.learned.restorer import Restorer
from pipelines.packaging.enhancer import (
    DATA_TABLE,
    DETAIL,
    Candidate,
    Gains,
    gains_table,
    rebuild_enhancer,
)
from pipelines.training.enhancers.patches import degraded_pair
from pipelines.training.enhancers.report import EnhancerReport
from pipelines.training.options import EnhancerOptions

NAME = Restorer.name
OPTIONS = EnhancerOptions(epochs=85, precision="mixed_bfloat16")
SAVED_QUALITY = 90


def faulty(
    kind: Kind, saved: bool, photo: Pixels, rng: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """A photo, and the same with a fault of random strength, also compressed if ``saved``.

    Overexposure is no fault here: both have it.
    """
    factors = random_factors(kind, rng)
    if saved:
        factors = replace(factors, jpeg_quality=SAVED_QUALITY)
    pair = degraded_pair(photo, factors, rng)
    return pair[..., :3], pair[..., 3:]


CASES = {kind: partial(faulty, kind, False) for kind in KINDS if kind != "saturation"} | {
    f"{kind}, saved": partial(faulty, kind, True) for kind in ("none", "noise", "blur")
}


class ClassicalRepairs(PhotoEnhancer):
    """``classical`` without its last step, which takes overexposure back."""

    name = "classical repairs"
    version = ClassicalEnhancer.version

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """Enhance a photo, (H, W, 3) float32 RGB in [0, 1]."""
        return repair(photo, deblock)


def card(report: EnhancerReport, quality: Mapping[str, Gains]) -> str:
    """Write the model card from the measured figures."""
    stages = [
        f"* {stage.patches:,} patches from {stage.repaired_crops:,} crops, learning rate "
        f"{stage.learning_rate:g} at its peak; {stage.faults}"
        for stage in report.stages or []
    ]
    return f"""\
# Restorer

Goes over photos that the `deblocker` or else denoising, and then deblurring have repaired
(`{Restorer.__module__}`). It sees each photo before and after that. On discrete cosine
transforms of 8x8 pixels (YCbCr) at every fourth pixel, a residual network of 3x3 convolutions gives
each of the 192 coefficients a gain, a share of what the repairs changed and a shift.
{report.parameters:,} parameters, {report.multiply_adds_per_pixel:,.0f} multiply-adds per
pixel; float16 TFLite, checked by sha256 on load (`{NAME}.json`). Photos in which the repairs find
nothing never reach it. What was removed beyond the noise of the photo is given back after it
(`{keep_detail.__module__}`), so that texture stays; overexposure is left alone.

Trained by `trigger train-enhancer`, compared and packaged by
`{Restorer.built_by}`, on {report.patches:,} patches of
{report.patch_side}x{report.patch_side} pixels from crops of {report.photos.train}
photographs; {report.photos.held_out} photographs were held out. Crops in which the repairs
found nothing were left out. In this order:

{chr(10).join(stages)}

## Gain over the faulty photo, held-out photographs

PSNR over RGB, up to 60 dB, and SSIM of luminance, both enhancers from end to end. Strengths of
faults are drawn as `trigger degrade` draws them, the same for both; "saved": compressed besides, as
cameras do, with quality {SAVED_QUALITY}. Of photos larger than {DETAIL}x{DETAIL} pixels the upper
left corner.

{gains_table(quality)}

## Data

{DATA_TABLE}
## Not for

Motion along curves, faces that must stay true, drawings and screenshots. It restores what is likely
on average; it does not bring back what was really there.
"""


def rebuild(data: Path, out: Path, *, show_progress: bool = False) -> list[Path]:
    """Train, convert, compare and package; see :func:`rebuild_enhancer`.

    Raises:
        TriggerError: photos do not fit, or the network does not beat the classical repairs.
    """
    candidate = Candidate(Restorer, OPTIONS, ClassicalRepairs(), CASES, card)
    return rebuild_enhancer(candidate, data, out, show_progress=show_progress)
