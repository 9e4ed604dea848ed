"""``trigger train``: train a model on labels."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pipelines.commands.common import loop_options
from pipelines.training.options import TrainOptions
from trigger.cli.options import LOCAL_PATH
from trigger.console.quiet import native_messages_muted

EPILOG = """\b
Example:
  trigger train labels --out baseline --init packaged --epochs 10
"""


@click.command(epilog=EPILOG)
@click.argument("labels", type=LOCAL_PATH)
@click.option("--out", type=LOCAL_PATH, required=True, help="Folder for model, logs and report.")
@click.option(
    "--enhancer",
    metavar="NAME",
    help="Use only labels of this enhancer, 'NAME' or 'NAME VERSION'; needed where LABELS holds "
    "labels of several.",
)
@click.option("--scorer", metavar="NAME", help="The same for the scorer.")
@click.option(
    "--init",
    default="packaged",
    show_default=True,
    help="Starting weights of the trunk: packaged, imagenet (downloaded by Keras), a MobileNetV2 "
    ".weights.h5 file, or a .keras file of a trigger, whose head is kept too.",
)
@click.option(
    "--average",
    is_flag=True,
    help="Save the mean of the weights before and after training, under a head fitted to it: "
    "often better for photos unlike the labelled ones (arXiv:2109.01903). Needs the weights of a "
    "trigger as --init.",
)
@loop_options(TrainOptions(), "order, mirroring and crops")
def command(
    labels: Path,
    out: Path,
    enhancer: str | None,
    scorer: str | None,
    init: str,
    average: bool,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> None:
    """Train the trigger network to predict delta from LABELS.

    LABELS is a folder written by 'trigger label'. A fifth of all scenes is held out for the
    report. An interrupted training resumes where it stopped. Writes baseline.keras, report.json,
    predictions.csv, scatter.png, log.csv and tensorboard/.
    """
    options = TrainOptions(
        enhancer=enhancer,
        scorer=scorer,
        init=init,
        average=average,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
    )
    with native_messages_muted():
        from pipelines.training.baseline import train
        from pipelines.training.baseline_report import summary

    sys.stdout.write(f"{summary(train(labels, out, options, show_progress=True))}\n")
