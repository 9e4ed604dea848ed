"""Rebuild the network of an enhancer, and package it only if it beats the current alternative."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from export.tflite import convert_enhancer
from pipelines.data.json_records import read_json, to_builtins
from pipelines.data.pixels import Pixels
from pipelines.enhancers import Enhancer, enhance_pixels
from pipelines.enhancers.learned.deblocker import MODELS, Deblocker
from pipelines.enhancers.learned.restorer import Restorer
from pipelines.evaluation.fidelity import capped_psnr, similarity
from pipelines.models.files import content_version
from pipelines.packaging.package import package
from pipelines.packaging.shell import shell_text
from pipelines.training.enhancers import train as training
from pipelines.training.enhancers.recipes import RECIPES, load_trained
from pipelines.training.enhancers.report import EnhancerReport
from pipelines.training.options import EnhancerNetwork, EnhancerOptions
from trigger.console.progress import progress
from trigger.errors import TriggerError
from trigger.files import write_atomically

Case = Callable[[Pixels, np.random.Generator], tuple[Pixels, Pixels]]
"""From a flawless photo to the target of an enhancer, and to its input."""

DETAIL = 512
"""Side of the upper left corner in which larger photos are compared, in pixels."""
DATA_TABLE = """\
| set | licence |
|---|---|
| BSDS500 train + val, 300 photographs | research |
| CQ100, Urban100/SunHays, wallpapers: 98 sharp photographs | CC BY-SA, Flickr CC, mixed |

None of the photographs is part of this package.
"""


@dataclass(frozen=True)
class Gain:
    """Mean gain over the input, in one case.

    Attributes:
        psnr_gain: of PSNR over RGB, in dB.
        ssim_gain: of SSIM of luminance.
    """

    psnr_gain: float
    ssim_gain: float

    def beats(self, other: Gain) -> bool:
        """Whether both gains are larger."""
        return self.psnr_gain > other.psnr_gain and self.ssim_gain > other.ssim_gain


Gains = dict[str, Gain]
"""By case."""


def compare(
    photos: Sequence[Pixels],
    enhancer: Enhancer,
    cases: Mapping[str, Case],
    *,
    show_progress: bool = False,
) -> Gains:
    """Measure the mean gains of an enhancer; faults depend on case and photo alone."""
    gains = {}
    for name, case in cases.items():
        rows = []
        bar = progress(photos, f"{enhancer.name} {name}", shown=show_progress)
        for number, photo in enumerate(bar):
            rng = np.random.default_rng(number)
            original, degraded = case(photo[:DETAIL, :DETAIL], rng)
            enhanced = enhance_pixels(enhancer, degraded)
            rows.append(np.subtract(_closeness(original, enhanced), _closeness(original, degraded)))
        psnr, ssim = np.mean(rows, axis=0)
        gains[name] = Gain(float(psnr), float(ssim))
    return gains


def _closeness(original: Pixels, photo: Pixels) -> tuple[float, float]:
    """PSNR over RGB and SSIM of luminance."""
    return capped_psnr(original, photo), similarity(original, photo)


def gains_table(quality: Mapping[str, Gains]) -> str:
    """Markdown: a row for each case, a column for each enhancer."""
    lines = [
        f"| | {' | '.join(f'`{name}`' for name in quality)} |",
        f"|---|{'---|' * len(quality)}",
    ]
    for case in next(iter(quality.values())):
        cells = [
            f"{gains[case].psnr_gain:+.2f} dB, {gains[case].ssim_gain:+.4f}"
            for gains in quality.values()
        ]
        lines.append(f"| {case} | {' | '.join(cells)} |")
    return "\n".join(lines)


@dataclass(frozen=True)
class Candidate:
    """How an enhancer of this project is rebuilt.

    Attributes:
        enhancer: made from the converted network, which recipes know by the same name.
        options: of the training.
        rival: the enhancer that it has to beat.
        cases: it must win in each, by PSNR and by SSIM.
        card: writes the model card from the training's report and the gains of both.
    """

    enhancer: type[Deblocker | Restorer]
    options: EnhancerOptions
    rival: Enhancer
    cases: Mapping[str, Case]
    card: Callable[[EnhancerReport, Mapping[str, Gains]], str]


def rebuild_enhancer(
    candidate: Candidate, data: Path, out: Path, *, show_progress: bool = False
) -> list[Path]:
    """Train, convert, compare and package; a finished training is not repeated.

    Args:
        candidate: what to rebuild.
        data: folder laid out as in ``pipelines.packaging.rebuild.DATA_LAYOUT``.
        out: folder of the rebuild; results go to a folder in it, named by the enhancer.
        show_progress: draw progress bars on stderr if that is a terminal.

    Returns:
        The file that was packaged.

    Raises:
        TriggerError: photos do not fit, or the network does not win.
    """
    name = cast("EnhancerNetwork", candidate.enhancer.name)
    folder = out / name
    weights = folder / f"{name}.weights.h5"
    if not (folder / "report.json").exists():
        training.train_enhancer(
            name, [data / "clean"], folder, candidate.options, show_progress=show_progress
        )
    report = read_json(EnhancerReport, folder / "report.json")
    _check_training(report, folder)
    file, text = folder / f"{name}.tflite", folder / f"{name}.md"
    write_atomically(file, convert_enhancer(load_trained(name, weights)))
    held_out = training.read_photos(
        [data / "clean"], RECIPES[name].side, show_progress=show_progress
    )[1]
    quality = {
        enhancer.name: compare(held_out, enhancer, candidate.cases, show_progress=show_progress)
        for enhancer in (candidate.enhancer(file), candidate.rival)
    }
    _check_gains(candidate, quality, data, folder)
    write_atomically(text, candidate.card(report, quality).encode())
    facts = {
        "training": to_builtins(report),
        "quality": to_builtins(quality),
        "trained_by": candidate.enhancer.built_by,
    }
    package(file, text, MODELS, content_version(file), facts)
    return [MODELS / file.name]


def _check_training(report: EnhancerReport, folder: Path) -> None:
    """Refuse a network that was trained for something else."""
    repaired_by = RECIPES[report.network].repaired_by
    if report.quality is not None:
        raise TriggerError(
            f"{folder} holds a network for JPEG quality {report.quality} alone; give another --out"
        )
    if (report.repaired_by or None) != repaired_by:
        raise TriggerError(
            f"{folder} holds a network trained on the output of repairs {report.repaired_by}, but "
            f"the current ones are {repaired_by}; give another --out"
        )


def _check_gains(
    candidate: Candidate, quality: Mapping[str, Gains], data: Path, folder: Path
) -> None:
    """Refuse a network that does not beat its rival in every case."""
    ours, rivals = quality.values()
    lost = [case for case, gain in ours.items() if not gain.beats(rivals[case])]
    if not lost:
        return
    name, rival = candidate.enhancer.name, candidate.rival.name
    better = replace(candidate.options, init=folder / f"{name}.weights.h5")
    command = shell_text("train-enhancer", name, data / "clean", out="OTHER", options=better)
    raise TriggerError(
        f"{name} does not beat {rival} at {', '.join(lost)}, so it is not packaged; continue its "
        f"training with: {command}; put OTHER in the place of {folder}, and run this again"
    )
