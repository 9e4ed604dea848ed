"""``trigger export``: one Keras file in, one checked TFLite file out, or nothing."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from export.model import ExportReport, export_model
from trigger.assessment import DEFAULT_THRESHOLD
from trigger.cli.options import FINITE, check_output
from trigger.console.quiet import native_messages_muted
from trigger.console.terminal import printable
from trigger.errors import OptionError
from trigger.model import load_model

if TYPE_CHECKING:
    from export.flatfile import Precision

logger = logging.getLogger(__name__)

EPILOG = """Exit codes: 0 written, 1 the file would not score as the network does (or an error),
2 wrong usage.

\b
Example:
  trigger export finetuned/finetuned.keras --out trigger.tflite
"""
_PATH = click.Path(path_type=Path)


@click.command(epilog=EPILOG)
@click.argument("model", type=_PATH, metavar="MODEL.keras")
@click.option("--out", type=_PATH, required=True, metavar="FILE", help="The TFLite file to write.")
@click.option(
    "--precision",
    type=click.Choice(("float16", "float32")),
    default="float16",
    show_default=True,
    help="Of the weights: float16 to ship, float32 as reference at twice the size.",
)
@click.option(
    "--photos",
    type=_PATH,
    metavar="FOLDER",
    help="Photos to compare Keras and TFLite on (default: the color photographs that "
    "scikit-image and scikit-learn ship).",
)
@click.option(
    "--threshold",
    type=FINITE,
    default=DEFAULT_THRESHOLD,
    show_default=True,
    metavar="SCORE",
    help="Score from which a photo is worth enhancing, stored in the file.",
)
@click.option("--name", help="Name of the model (default: trigger, nima or alexnet-rank).")
@click.option(
    "--model-version", metavar="TEXT", help="Version of the model (default: that of this package)."
)
@click.option(
    "--card", type=_PATH, metavar="FILE", help="Model card (Markdown) to pack into the file."
)
@click.option("--report", type=_PATH, metavar="FILE", help="Write all figures as JSON.")
def command(
    model: Path,
    out: Path,
    precision: Precision,
    photos: Path | None,
    threshold: float,
    name: str | None,
    model_version: str | None,
    card: Path | None,
    report: Path | None,
) -> None:
    """Convert a trained .keras network to the TFLite file that an app embeds.

    The file is written only if it holds all weights and scores photographs as the network does.
    """
    _check_options(out, photos, report)
    with native_messages_muted():
        import tensorflow  # noqa: F401

        load_model()  # LiteRT announces itself when a process runs its first model
    exported = export_model(
        model,
        out,
        precision=precision,
        photos=photos,
        threshold=threshold,
        name=name,
        version=model_version,
        card=card,
        report=report,
    )
    for problem in exported.unreadable_photos:
        logger.warning("skipped %s", problem)
    sys.stdout.write(_summary(out, exported))


def _summary(out: Path, exported: ExportReport) -> str:
    return (
        f"Keras against TFLite, difference of scores\n{exported.parity.table()}\n"
        f"wrote   {printable(str(out))}\n"
        f"size    {exported.size_bytes:,} bytes, {exported.precision}, "
        f"{exported.parameters:,} parameters\n"
        f"sha256  {exported.sha256}\n"
    )


def _check_options(out: Path, photos: Path | None, report: Path | None) -> None:
    if out.suffix != ".tflite":
        raise OptionError(f"--out {out}: the name must end in .tflite")
    if report is not None and report.suffix != ".json":
        raise OptionError(f"--report {report}: the name must end in .json")
    for option, path in (("--out", out), ("--report", report)):
        if path is not None:
            check_output(path, option)
    if photos is not None and not photos.is_dir():
        raise OptionError(f"--photos {photos}: no such folder; give a folder of photos")
