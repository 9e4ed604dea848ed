"""``trigger rank``: the photos of folders, best candidates for enhancement first."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from trigger.cli.options import POSITIVE, check_output
from trigger.commands.common import (
    EXIT_CODES,
    HEADER,
    line,
    load_trigger,
    model_options,
    report_broken_profiles,
)
from trigger.console.terminal import counted
from trigger.errors import OptionError
from trigger.files import resolved
from trigger.photo.search import PHOTO_EXTENSIONS
from trigger.ranking import rank_photos
from trigger.ranking_files import MAX_PHOTOS, write_ranking

logger = logging.getLogger(__name__)

EPILOG = f"""{EXIT_CODES}

\b
Example:
  trigger rank ~/Pictures --top 20 --html candidates.html
"""
_OUTPUT = click.Path(path_type=Path)


@click.command(epilog=EPILOG)
@click.argument("folders", nargs=-1, required=True, metavar="FOLDER...")
@model_options
@click.option(
    "--top",
    type=POSITIVE,
    metavar="N",
    help="Show only the N best candidates in the list and the contact sheet.",
)
@click.option("--csv", "csv", type=_OUTPUT, metavar="FILE", help="Write the whole ranking as CSV.")
@click.option(
    "--json", "json", type=_OUTPUT, metavar="FILE", help="Write the whole ranking as JSON."
)
@click.option(
    "--html",
    type=_OUTPUT,
    metavar="FILE",
    help=f"Write a contact sheet to look at (the {MAX_PHOTOS} best candidates at most).",
)
def command(
    folders: tuple[str, ...],
    threshold: float,
    model: Path | None,
    sha256: str | None,
    views: str,
    workers: int | None,
    top: int | None,
    csv: Path | None,
    json: Path | None,
    html: Path | None,
) -> int:
    """Rank all photos of folders, the best candidates for enhancement first.

    Hidden files and folders are skipped. So are links to folders, folders of system thumbnails
    (@eaDir, .thumbnails, Thumbs), and folders that hold labels or pairs, which were made from
    photos; these are named.
    """
    _check_outputs({"--csv": csv, "--json": json, "--html": html})
    trigger = load_trigger(threshold, model, sha256, views)
    ranking = rank_photos(folders, trigger, workers=workers, show_progress=True)
    # Before the list, whose reader may have seen enough and end this command. An empty ranking
    # is not worth the one that it would replace.
    if ranking.photos:
        for path in write_ranking(
            ranking, csv=csv, json=json, html=html, top=top, workers=workers, show_progress=True
        ):
            logger.info("wrote %s", path)
    if ranking.photos:
        sys.stdout.write(f"{HEADER}\n")
    sys.stdout.writelines(line(photo) for photo in ranking.photos[:top])
    sys.stdout.flush()
    for rejected in ranking.rejected:
        logger.warning("%s", rejected)
    logger.info(
        "%s ranked, %d at or above the threshold %g, %d could not be read",
        *(counted(len(ranking.photos), "photo"), ranking.alerts),
        *(ranking.threshold, len(ranking.rejected)),
    )
    report_broken_profiles(ranking.broken_profiles)
    return 1 if ranking.rejected else 0


def _check_outputs(outputs: dict[str, Path | None]) -> None:
    """Refuse, before any work, outputs that cannot be written or would replace a photo."""
    seen: set[Path] = set()
    for option, target in outputs.items():
        if target is None:
            continue
        if target.suffix.lower() in PHOTO_EXTENSIONS:
            raise OptionError(
                f"{option} {target}: is the name of a photo; give the file to write, as in "
                "--csv ranking.csv"
            )
        check_output(target, option)
        if resolved(target) in seen:
            raise OptionError(
                f"{option} {target}: would be written twice; give each output its own file"
            )
        seen.add(resolved(target))
