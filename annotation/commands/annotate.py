"""``trigger annotate``: rate pairs in the browser."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import quote

import click

from annotation.manifest import RATINGS_FILE
from annotation.raters import read_raters
from annotation.server import serve
from trigger.console.terminal import counted

_PATH = click.Path(path_type=Path)


@click.command(
    epilog="\b\nExample:\n  trigger annotate pairs\nthen open the address that it prints"
)
@click.argument("pairs", type=_PATH, metavar="PAIRS")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at; the default is reached from this machine alone, 0.0.0.0 lets "
    "others in and needs --raters.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port; 0: any free one.",
)
@click.option(
    "--raters",
    type=_PATH,
    metavar="CSV",
    help="Only these may rate: columns rater and token. Missing tokens are made and written to "
    "the file, and a link for each rater is printed.",
)
@click.option("--blind", is_flag=True, help="Do not say which photo is the enhanced one.")
@click.option(
    "--fixed-sides",
    is_flag=True,
    help="Always show the enhanced photo on the right (default: random).",
)
def command(
    pairs: Path, host: str, port: int, raters: Path | None, blind: bool, fixed_sides: bool
) -> None:
    """Serve a page on which people rate before/after pairs, until ^C.

    Ratings are kept in PAIRS/ratings.sqlite; get them as CSV with: trigger ratings export PAIRS.
    """
    tokens = read_raters(raters) if raters else {}

    def announce(address: str) -> None:
        sys.stdout.write(f"rate at {address} (end with Ctrl+C)\n")
        # What follows # stays in the browser: it is in no log of a server or proxy.
        sys.stdout.writelines(
            f"  {rater}: {address}#{quote(token)}\n" for rater, token in tokens.items()
        )
        sys.stdout.flush()

    count = serve(
        pairs,
        host=host,
        port=port,
        tokens=tokens,
        blind=blind,
        fixed_sides=fixed_sides,
        on_start=announce,
    )
    sys.stdout.write(f"{counted(count, 'answer')} in {pairs / RATINGS_FILE}\n")
