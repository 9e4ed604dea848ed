"""Train a repair network, hold it against what it would replace, and package it only if it wins."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from export.tflite import convert_enhancer
from pipelines.data.pixels import Pixels
from pipelines.enhancers import Enhancer, enhance_pixels
from pipelines.enhancers.learned.deblocker import MODELS, Deblocker
from pipelines.enhancers.learned.restorer import Restorer
from pipelines.evaluation.fidelity import capped_psnr, similarity
from pipelines.models.files import content_version
from pipelines.packaging.package import package
from pipelines.packaging.rebuild import read_report
from pipelines.training.enhancers import train as training
from trigger.errors import TriggerError
from trigger.files import write_atomically

Case = Callable[[Pixels, np.random.Generator], tuple[Pixels, Pixels]]
"""From a flawless photo to what an enhancer should give, and to what it is given."""
Gains = dict[str, dict[str, float]]
"""By case: ``psnr_gain`` in dB and ``ssim_gain``."""

DETAIL = 512
"""Side of what is compared of larger photos, from their upper left corner."""
DATA_TABLE = """\
| set | licence |
|---|---|
| BSDS500 train + val, 300 photographs | research |
| CQ100, Urban100/SunHays, wallpapers: 98 sharp photographs | CC BY-SA, Flickr CC, mixed |

None of the photographs is part of this package.
"""


def compare(photos: Sequence[Pixels], enhancer: Enhancer, cases: Mapping[str, Case]) -> Gains:
    """Mean gains over what the enhancer is given; faults depend on case and photo alone."""
    gains = {}
    for name, case in cases.items():
        rows = []
        for number, photo in enumerate(tqdm(photos, f"{enhancer.name} {name}", disable=None)):
            rng = np.random.default_rng(number)
            original, degraded = case(photo[:DETAIL, :DETAIL], rng)
            enhanced = enhance_pixels(enhancer, degraded)
            rows.append(np.subtract(_closeness(original, enhanced), _closeness(original, degraded)))
        psnr, ssim = np.mean(rows, axis=0)
        gains[name] = {"psnr_gain": float(psnr), "ssim_gain": float(ssim)}
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
            f"{gains[case]['psnr_gain']:+.2f} dB, {gains[case]['ssim_gain']:+.4f}"
            for gains in quality.values()
        ]
        lines.append(f"| {case} | {' | '.join(cells)} |")
    return "\n".join(lines)


def rebuild_network(
    enhancer: type[Deblocker | Restorer],
    data: Path,
    out: Path,
    *,
    options: Sequence[str],
    rival: Enhancer,
    cases: Mapping[str, Case],
    card: Callable[[dict[str, Any], Mapping[str, Gains]], str],
) -> None:
    """Train, convert, compare and package; a training that has ended is not run again.

    Args:
        enhancer: made from the converted network, which ``pipelines.training.enhancers.train`` knows by the
            same name.
        data: folder laid out as for :mod:`pipelines.packaging.rebuild`.
        out: where training and results go, in a folder of that name.
        options: of the training.
        rival: what it has to beat.
        cases: in each of which, by PSNR and by SSIM.
        card: from the training's report and the gains of both.

    Raises:
        TriggerError: photos do not fit, or the network does not win.
    """
    name = enhancer.name
    recipe = training.RECIPES[name]
    made = out / name
    arguments = [name, str(data / "clean"), *options, "--out"]
    if not (made / "report.json").exists():
        training.train(training.parse([*arguments, str(made)]))
    report = read_report(made)
    if report["quality"] is not None:
        raise TriggerError(
            f"{made} holds a network for JPEG quality {report['quality']} alone; give another --out"
        )
    if report["repaired_by"] != training.repaired_by(recipe):
        raise TriggerError(
            f"{made} holds a network that was trained on what repairs {report['repaired_by']} "
            f"leave, here are repairs {training.repaired_by(recipe)}; give another --out"
        )
    weights = made / f"{name}.weights.h5"
    file, text = made / f"{name}.tflite", made / f"{name}.md"
    write_atomically(file, convert_enhancer(training.load_network(name, weights)))
    held_out = training.read_photos([data / "clean"], recipe.side)[1]
    quality = {e.name: compare(held_out, e, cases) for e in (enhancer(file), rival)}
    ours, theirs = quality.values()
    lost = [
        case
        for case, gains in ours.items()
        if any(gain <= theirs[case][measure] for measure, gain in gains.items())
    ]
    if lost:
        raise TriggerError(
            f"{name} does not beat {rival.name} at {', '.join(lost)}, so it is not packaged; train "
            f"on with python -m pipelines.training.enhancers.train {shlex.join(arguments)} OTHER --init "
            f"{shlex.quote(str(weights))}, put OTHER in place of {made}, and run this again"
        )
    write_atomically(text, card(report, quality).encode())
    facts = {"training": report, "quality": quality, "trained_by": enhancer.built_by}
    package(file, text, MODELS, content_version(file), facts)
    print(f"packaged: {file.name}")  # noqa: T201
