"""``trigger derive-ratings``: derive ratings from human scores."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pipelines.opinions import live_challenge, tid2013
from pipelines.opinions.derived_ratings import derive_ratings
from trigger.cli.options import LOCAL_PATH
from trigger.console.terminal import counted

_PATH = click.Path(path_type=Path)
EPILOG = """\b
Example:
  trigger derive-ratings --tid rated/tid2013 --live rated/live_challenge \\
    --flawless clean --out ratings
"""


@click.command(epilog=EPILOG)
@click.option("--tid", type=_PATH, help=f"TID2013: {tid2013.LAYOUT}.")
@click.option("--live", type=_PATH, help=f"LIVE Challenge: {live_challenge.LAYOUT}.")
@click.option(
    "--flawless",
    type=_PATH,
    multiple=True,
    metavar="PHOTOS",
    help="Flawless photos, or a folder of them, added as neutral (rater 'flawless', not human); "
    "may be repeated.",
)
@click.option("--out", type=LOCAL_PATH, required=True, help="Folder for photos and ratings.csv.")
def command(tid: Path | None, live: Path | None, flawless: tuple[Path, ...], out: Path) -> None:
    """Derive ratings from human scores: what raters of a perfect enhancer would answer.

    TID2013's distortions are made again and rated by the human gain of the original; phone photos
    of LIVE Challenge by how poor people find them. Writes ratings.csv, photos, and a record of
    what they were made from.
    """
    table = derive_ratings(out, tid=tid, live=live, flawless=flawless, show_progress=True)
    scenes = table["scene"].nunique()
    sys.stdout.write(f"{counted(len(table), 'rating')} of {counted(scenes, 'scene')} in {out}\n")
