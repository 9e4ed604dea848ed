"""``trigger train-enhancer``: train a network to repair photos."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args

import click

from pipelines.commands.common import loop_options
from pipelines.degradation.model import BEST_QUALITY
from pipelines.training.options import EnhancerNetwork, EnhancerOptions, Precision
from trigger.cli.options import LOCAL_PATH, POSITIVE
from trigger.console.quiet import native_messages_muted

EPILOG = """\b
Examples:
  trigger train-enhancer deblocker photos --out build/deblocker
  trigger train-enhancer fast-arcnn photos --quality 10 --out build/fast-arcnn
"""
_DEFAULTS = EnhancerOptions()


@click.command(epilog=EPILOG)
@click.argument("network", type=click.Choice(get_args(EnhancerNetwork)), metavar="NETWORK")
@click.argument("photos", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--out", type=LOCAL_PATH, required=True, help="Folder for weights, logs and report.")
@click.option(
    "--quality",
    type=click.IntRange(1, BEST_QUALITY),
    help="The only JPEG quality to learn; arcnn, fast-arcnn and blockcnn need it, the deblocker "
    "learns all qualities without it, the restorer takes none.",
)
@click.option(
    "--precision",
    type=click.Choice(get_args(Precision)),
    default=_DEFAULTS.precision,
    show_default=True,
    help="Of the arithmetic; bfloat16 takes about half the time on processors that have it.",
)
@click.option(
    "--steps", type=POSITIVE, default=_DEFAULTS.steps, show_default=True, help="Batches per epoch."
)
@click.option(
    "--init",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .weights.h5 file of the same network to continue from.",
)
@loop_options(_DEFAULTS, "patches, faults and starting weights")
def command(network: EnhancerNetwork, photos: tuple[Path, ...], out: Path, **options: Any) -> None:
    """Train NETWORK to repair photos, on flawless PHOTOS or folders of them.

    NETWORK is arcnn, fast-arcnn, blockcnn, deblocker or restorer.
    A fifth of the photos is held out; the gain in dB on them is logged after each epoch as
    val_gain. An interrupted training resumes where it stopped. Writes NETWORK.weights.h5,
    report.json, log.csv and tensorboard/, and prints the report.
    """
    chosen = EnhancerOptions(**options)
    with native_messages_muted():
        from pipelines.data.json_records import to_json
        from pipelines.training.enhancers.train import train_enhancer

    report = train_enhancer(network, photos, out, chosen, show_progress=True)
    sys.stdout.write(f"{to_json(report).decode()}\n")
