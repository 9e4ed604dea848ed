"""``trigger packaged rebuild``: rebuild a model that comes with the project."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

import click

from pipelines.packaging.rebuild import DATA_LAYOUT, PackagedName
from trigger.console.terminal import printable

_LAYOUT = "\n".join(f"  {line}" for line in DATA_LAYOUT.splitlines())
EPILOG = f"""\b
DATA must hold:
{_LAYOUT}

\b
Example:
  trigger packaged rebuild models data --out build
"""


@click.command(epilog=EPILOG)
@click.argument("name", type=click.Choice(get_args(PackagedName)), metavar="NAME")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("build"),
    show_default=True,
    help="Folder for everything that is made.",
)
def command(name: PackagedName, data: Path, out: Path) -> None:
    """Train a model from the photos in DATA and package it in place of the current one.

    NAME is models for the trigger and its scorer, or deblocker, restorer, colorize or
    alexnet-rank. Enhancers are packaged only if they beat the current alternative. An interrupted
    rebuild resumes: steps whose result exists are not repeated.
    """
    from pipelines.packaging.rebuild import rebuild

    for file in rebuild(name, data, out, show_progress=True):
        sys.stdout.write(f"packaged {printable(str(file))}\n")
