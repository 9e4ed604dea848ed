"""``trigger finetune``: fit a model's head to human ratings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.commands.common import target_options
from pipelines.evaluation.thresholds import Target
from pipelines.training.options import FinetuneOptions
from trigger.cli.options import LOCAL_PATH
from trigger.console.quiet import native_messages_muted

if TYPE_CHECKING:
    from pipelines.training.finetuning.report import FineTuningReport

EPILOG = """\b
Example:
  trigger finetune baseline/baseline.keras ratings.csv --out finetuned --target-precision 0.8

The CSV needs the columns path and rating; docs/annotation.md describes the others. The output of
'trigger ratings aggregate' is read as well.
"""


@click.command(epilog=EPILOG)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("ratings", type=click.Path(path_type=Path))
@click.option("--out", type=LOCAL_PATH, required=True, help="Folder for the model and the report.")
@target_options
@click.option(
    "--force",
    is_flag=True,
    help="Accept ratings of another enhancer than the one that made the model's labels.",
)
def command(model: Path, ratings: Path, out: Path, target: Target | None, force: bool) -> None:
    """Fit the head of MODEL to human RATINGS.

    MODEL is a .keras file written by 'trigger train', RATINGS a CSV file: 2 significant
    improvement, 1 moderate, 0 neutral, -1 regressed. Only the 113 parameters of the head change. A
    fifth of the scenes is held out to compare baseline and fine-tuned model; nested
    cross-validation compares them on all scenes. Writes finetuned.keras, report.html, report.json,
    precision_recall.png, predictions.csv and features.npz, with which the next run takes seconds.
    """
    with native_messages_muted():
        from pipelines.training.finetuning.finetune import TargetNotReached, finetune

    options = FinetuneOptions(target=target, force=force)
    try:
        report = finetune(model, ratings, out, options, show_progress=True)
    except TargetNotReached as error:
        _print_summary(error.report, out)
        raise
    _print_summary(report, out)


def _print_summary(report: FineTuningReport, out: Path) -> None:
    from pipelines.training.finetuning.report import summary

    sys.stdout.write(f"{summary(report)}\nopen {out / 'report.html'} in a browser\n")
