"""Rebuild the packaged ``alexnet-rank`` scorer."""

from __future__ import annotations

from pathlib import Path

from pipelines.data.json_records import to_builtins
from pipelines.packaging.cards import people_rows
from pipelines.packaging.models import claim_models, export_step
from pipelines.packaging.package import package
from pipelines.packaging.reports import read_quality
from pipelines.packaging.scorer_training import ALEXNET_OPTIONS, scorer_options, scorer_step
from pipelines.scorers.alexnet_rank import AlexNetRankScorer
from pipelines.scorers.packaged import MODELS
from pipelines.training.scorer.report import ScorerReport
from trigger.files import write_atomically
from trigger.preprocessing import STANDARD

NAME, BUILT_BY = AlexNetRankScorer.name, AlexNetRankScorer.built_by
VERSION = "1"


def card(report: ScorerReport) -> str:
    """Write the model card from the report of the training."""
    return f"""\
# alexnet-rank scorer

Predicts the mean opinion (1..10) on a photo: a slim AlexNet at 448x448, trained from scratch by
regression and pairwise ranking (Kong et al. 2016); `pipelines/training/scorer/alexnet.py` says how
it differs from AlexNet. float16 TFLite, checked by sha256 on load (`{NAME}.json`). It is there to
compare with; label with `nima`, which starts from ImageNet features.

Trained by `{BUILT_BY}` on {report.examples.train} examples, the same as `nima`
([data and licences](NIMA.md)), for {ALEXNET_OPTIONS.epochs} epochs;
{report.examples.held_out} examples of a fifth of the scenes were held out.

| photos | side | n | Spearman | Pearson |
|---|---|---|---|---|
{people_rows(report)}
"""


def rebuild(data: Path, out: Path, *, show_progress: bool = False) -> list[Path]:
    """Train on the same photos as NIMA, export and package.

    Returns:
        The file that was packaged.

    Raises:
        TriggerError: a step failed.
    """
    claim_models(data, out)
    folder = out / NAME
    options = scorer_options(ALEXNET_OPTIONS, data, out)
    scorer_step(options, data, folder, show_progress=show_progress).run()
    report = read_quality(ScorerReport, folder)
    text, file = folder / f"{NAME}.md", folder / f"{NAME}.tflite"
    write_atomically(text, card(report).encode())
    export_step(folder / f"{NAME}.keras", file, text, VERSION).run()
    facts = {
        "preprocessing": STANDARD.version,
        "quality": to_builtins(report),
        "trained_by": BUILT_BY,
    }
    package(file, text, MODELS, VERSION, facts)
    return [MODELS / file.name]
