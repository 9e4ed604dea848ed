"""``trigger demo``: run the whole chain on sample photographs."""

from __future__ import annotations

import time
from pathlib import Path

import click

from pipelines.demo.run import run_demo
from trigger.cli.options import LOCAL_PATH

EPILOG = """\b
Example:
  trigger demo --out demo-output
"""


@click.command(epilog=EPILOG)
@click.option(
    "--out",
    type=LOCAL_PATH,
    default="demo-output",
    show_default=True,
    metavar="FOLDER",
    help="A new or empty folder, or that of an earlier demo, whose files are replaced.",
)
def command(out: Path) -> None:
    """Run the whole chain on photographs that scikit-image and scikit-learn ship.

    Degrade, label, train, fine-tune, export, score. Writes FOLDER/index.html with before/after
    pictures, scores and plots. Takes a few minutes on two cores and needs no network.
    """
    started = time.perf_counter()
    page = run_demo(out, show_progress=True)
    click.echo(f"{time.perf_counter() - started:.0f} s. Now open {page.absolute()}")
