"""``trigger enhancers export``: convert a trained network to an enhancer file."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from trigger.cli.options import check_output
from trigger.console.quiet import native_messages_muted
from trigger.console.terminal import printable

EPILOG = """\b
Example:
  trigger enhancers export fast-arcnn build/fast-arcnn.weights.h5 --out fast-arcnn.tflite
"""


@click.command(epilog=EPILOG)
@click.argument("network", type=click.Choice(["arcnn", "fast-arcnn"]), metavar="NETWORK")
@click.argument("weights", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The TFLite file to write."
)
def command(network: str, weights: Path, out: Path) -> None:
    """Convert WEIGHTS of NETWORK to a file for --enhancer.

    NETWORK is arcnn or fast-arcnn, WEIGHTS a .weights.h5 file written by 'trigger train-enhancer'.
    The file accepts photos of any size.
    """
    check_output(out, "--out")
    with native_messages_muted():
        from pipelines.packaging.enhancer_file import export_enhancer

    export_enhancer(network, weights, out)  # type: ignore[arg-type]
    sys.stderr.write(f"wrote {printable(str(out))}\n")
