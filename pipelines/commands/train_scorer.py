"""``trigger train-scorer``: train the quality scorer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args

import click

from pipelines.commands.common import loop_options
from pipelines.data.splits import FOLDS
from pipelines.opinions import live_challenge, tid2013
from pipelines.training.options import Architecture, ScorerOptions
from trigger.cli.options import LOCAL_PATH
from trigger.console.quiet import native_messages_muted

EPILOG = """\b
Example:
  trigger train-scorer --live rated/live_challenge --tid rated/tid2013 --clean clean \\
      --init mobilenet_v2_1.0.weights.h5 --out scorer
"""
_FOLDER = click.Path(path_type=Path)


@click.command(epilog=EPILOG)
@click.option("--live", type=_FOLDER, help=f"LIVE Challenge: {live_challenge.LAYOUT}.")
@click.option(
    "--tid",
    type=_FOLDER,
    required=True,
    help=f"TID2013: {tid2013.LAYOUT}. The full-reference model that scores photos that no person "
    "rated is fitted on it.",
)
@click.option(
    "--clean",
    type=_FOLDER,
    multiple=True,
    help="Flawless photos, or a folder of them; may be repeated.",
)
@click.option("--out", type=LOCAL_PATH, required=True, help="Folder for model, logs and report.")
@click.option(
    "--examples",
    type=_FOLDER,
    help="Folder of examples, to share them between trainings.  [default: OUT/examples]",
)
@click.option(
    "--graded-share",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    metavar="SHARE",
    help="Share of the photos that no person rated that an epoch shows, others each time; rated "
    "ones are all shown.",
)
@click.option(
    "--architecture",
    type=click.Choice(get_args(Architecture)),
    default="nima",
    show_default=True,
    help="Network and loss.",
)
@click.option(
    "--init",
    help="Starting weights of nima: imagenet, the .weights.h5 file of a MobileNetV2 of alpha 1.0, "
    "or a nima.keras, whose head is kept too.  [default: imagenet]",
)
@click.option(
    "--fold",
    type=click.IntRange(0, FOLDS - 1),
    default=0,
    show_default=True,
    help="Fifth of the scenes that is held out; packaged scorers have not seen fold 0. A .keras "
    "file for --init must have held out the same.",
)
@loop_options(ScorerOptions(), "examples, order, mirroring and crops")
def command(tid: Path, out: Path, **options: Any) -> None:
    """Train a scorer on LIVE Challenge, TID2013 and degraded clean photos.

    A fifth of all scenes is held out. An interrupted training resumes where it stopped. Writes the
    model, report.json, log.csv and tensorboard/, and prints the report.
    """
    chosen = ScorerOptions(**options)
    with native_messages_muted():
        from pipelines.data.json_records import to_json
        from pipelines.training.scorer.train import train_scorer

    report = train_scorer(tid, out, chosen, show_progress=True)
    sys.stdout.write(f"{to_json(report).decode()}\n")
