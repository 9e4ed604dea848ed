"""``trigger evaluate``: compare a model's scores with ratings."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from pipelines.commands.common import target_options
from pipelines.data.json_records import to_json
from pipelines.evaluation.rated import evaluate
from pipelines.evaluation.thresholds import Target
from trigger.assessment import DEFAULT_THRESHOLD
from trigger.cli.options import FINITE, POSITIVE
from trigger.console.quiet import native_messages_muted
from trigger.model import load_model
from trigger.views import VIEWS

logger = logging.getLogger(__name__)

EPILOG = """\b
Example:
  trigger evaluate ratings.csv --held-out --target-precision 0.9
"""


@click.command(epilog=EPILOG)
@click.argument("ratings", type=click.Path(path_type=Path))
@click.option(
    "--threshold",
    type=FINITE,
    default=DEFAULT_THRESHOLD,
    show_default=True,
    metavar="SCORE",
    help="Score from which a photo raises an alert.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .tflite file to use instead of the packaged model.",
)
@click.option(
    "--views",
    type=click.Choice(VIEWS),
    default="whole",
    show_default=True,
    help="What the model sees: the whole photo, or also tiles of large photos.",
)
@click.option("--workers", type=POSITIVE, metavar="N", help="Photos processed at a time.")
@target_options
@click.option(
    "--held-out",
    is_flag=True,
    help="Use only photos that no training of this project has seen: neither their scene, nor the "
    "photo that they were made from.",
)
def command(
    ratings: Path,
    threshold: float,
    model: Path | None,
    views: str,
    workers: int | None,
    target: Target | None,
    held_out: bool,
) -> None:
    """Score the photos of a RATINGS CSV (raw or aggregated) and compare with the ratings.

    Prints JSON: average precision for 'moderate improvement or better', rank correlation with the
    ratings, and precision, recall and alert rate at the threshold; with a target, also another
    threshold that reaches it. Intervals are 95 % bootstrap intervals that resample scenes.
    """
    with native_messages_muted():
        loaded = load_model(model)
    result = evaluate(
        ratings,
        loaded,
        threshold=threshold,
        views=views,
        target=target,
        held_out=held_out,
        workers=workers,
        show_progress=True,
    )
    if result.note:
        logger.info("%s", result.note)
    sys.stdout.write(to_json(result.report).decode() + "\n")
    if result.out_of_reach:
        raise result.out_of_reach
