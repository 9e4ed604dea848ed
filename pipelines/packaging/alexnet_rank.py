"""Rebuild the packaged ``alexnet-rank`` scorer:
``python -m pipelines.packaging.alexnet_rank DATA --out build``.

DATA is laid out as for :mod:`pipelines.packaging.rebuild`; interrupted, it goes on where it stopped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.packaging.package import package
from pipelines.packaging.rebuild import claim, command_line, export_step, read_report, train_scorer
from pipelines.packaging.steps import Step
from pipelines.scorers.alexnet_rank import AlexNetRankScorer
from pipelines.scorers.packaged import MODELS
from trigger.files import write_atomically
from trigger.preprocessing import STANDARD

NAME, BUILT_BY = AlexNetRankScorer.name, AlexNetRankScorer.built_by
VERSION = "1"
EPOCHS = 8


def training_step(data: Path, out: Path) -> Step:
    """Train the network on the same photos as NIMA."""
    arguments = [
        *(*train_scorer(data, out.parent), "--architecture", NAME),
        *("--epochs", str(EPOCHS), "--learning-rate", "1e-3", "--out", str(out)),
    ]
    return Step(arguments, out / "report.json")


def card(report: dict[str, Any]) -> str:
    """The model card, from the report of ``trigger train-scorer``."""
    sources = {"live_challenge": "LIVE Challenge", "tid2013": "TID2013 re-made"}
    rows = [
        f"| {title} | {side.replace('_', ' ')} | {report[f'{name}_{side}']['n']} | "
        f"{report[f'{name}_{side}']['spearman']:.3f} | {report[f'{name}_{side}']['pearson']:.3f} |"
        for name, title in sources.items()
        for side in ("train", "held_out")
    ]
    return f"""\
# alexnet-rank scorer

Predicts the mean opinion (1..10) on a photo: a slim AlexNet at 448x448, trained from scratch by
regression and pairwise ranking (Kong et al. 2016); `pipelines/scorers/alexnet.py` says how it
differs from AlexNet. float16 TFLite, checked by sha256 on load (`{NAME}.json`). It is there to
compare with; label with `nima`, which starts from ImageNet features.

Trained by `{BUILT_BY}` on {report["examples"]["train"]} examples, the same as `nima`
([data and licences](NIMA.md)), for {EPOCHS} epochs; {report["examples"]["held_out"]} examples of a
fifth of the scenes were held out.

| photos | side | n | Spearman | Pearson |
|---|---|---|---|---|
{chr(10).join(rows)}
"""


def rebuild(data: Path, out: Path) -> None:
    """Train, export and package.

    Raises:
        TriggerError: a step failed, and has said why.
    """
    claim(data, out)
    folder = out / NAME
    training_step(data, folder).run()
    report = read_report(folder)
    text, file = folder / f"{NAME}.md", folder / f"{NAME}.tflite"
    write_atomically(text, card(report).encode())
    export_step(folder / f"{NAME}.keras", file, text, VERSION).run()
    facts = {"preprocessing": STANDARD.version, "quality": report, "trained_by": BUILT_BY}
    package(file, text, MODELS, VERSION, facts)
    print(f"packaged: {file.name}")  # noqa: T201


if __name__ == "__main__":
    command_line(__doc__, rebuild)
