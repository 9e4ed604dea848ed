"""``trigger rank``: the photos of folders, best candidates for enhancement first."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import click

from trigger.cli.options import POSITIVE, check_output
from trigger.commands.common import EXIT_CODES, HEADER, line, load_trigger, model_options
from trigger.console.progress import progress
from trigger.console.terminal import printable
from trigger.errors import DataError, OptionError
from trigger.files import resolved, write_atomically
from trigger.pages.contact_sheet import MAX_PHOTOS, contact_sheet, make_thumbnails
from trigger.photo import find_photos
from trigger.photo.search import PHOTO_EXTENSIONS
from trigger.ranking import Ranking, rank
from trigger.threads import default_workers

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
    views: str,
    workers: int | None,
    top: int | None,
    csv: Path | None,
    json: Path | None,
    html: Path | None,
) -> int:
    """Rank all photos of folders, the best candidates for enhancement first.

    Hidden files and folders are skipped and links to folders are not followed. Folders within that
    hold labels or pairs, which were made from photos, are skipped and named.
    """
    outputs = {"--csv": csv, "--json": json, "--html": html}
    _check_outputs(outputs)
    trigger = load_trigger(threshold, model, views)
    # A folder may be named twice, in two ways.
    paths = list({os.path.abspath(path): path for path in find_photos(folders)}.values())  # noqa: PTH100
    if not paths:
        raise DataError(
            f"no photos in {', '.join(folders)}; "
            f"looked for files named *{' *'.join(sorted(PHOTO_EXTENSIONS))}"
        )
    results = trigger.assess_all(paths, workers=workers)
    ranking = rank(
        progress(results, "scoring", total=len(paths)),
        model=trigger.model.name,
        threshold=trigger.threshold,
    )
    # Before the list, whose reader may have seen enough and end this command.
    if ranking.photos:  # an empty ranking is not worth the one that it would replace
        _write_files(ranking, csv, json, html, top or MAX_PHOTOS, workers or default_workers())
    sys.stdout.write(f"{HEADER}\n")
    sys.stdout.writelines(line(photo) for photo in ranking.photos[:top])
    sys.stdout.flush()
    for rejected in ranking.rejected:
        logger.warning("%s", rejected)
    sys.stderr.write(
        f"{len(ranking.photos)} photos ranked, {ranking.alerts} reach the threshold "
        f"{ranking.threshold:g}, {len(ranking.rejected)} could not be read\n"
    )
    return 1 if ranking.rejected else 0


def _write_files(
    ranking: Ranking,
    csv: Path | None,
    json: Path | None,
    html: Path | None,
    top: int,
    workers: int,
) -> None:
    if csv:
        write_atomically(csv, ranking.to_csv().encode("utf-8", "surrogateescape"))
    if json:
        write_atomically(json, ranking.to_json().encode())
    if html:
        shown = ranking.photos[: min(top, MAX_PHOTOS)]
        thumbnails = make_thumbnails(shown, workers=workers)
        pictures = progress(thumbnails, "thumbnails", total=len(shown))
        page = contact_sheet(ranking, shown, pictures, html.absolute().parent)
        write_atomically(html, page.encode("utf-8", "backslashreplace"))
    for target in (csv, json, html):
        if target:
            sys.stderr.write(f"wrote {printable(str(target))}\n")


def _check_outputs(outputs: dict[str, Path | None]) -> None:
    """Refuse, before any work, what could not be written or would cost a photo."""
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
                f"{option} {target}: is to be written twice; give each output its own file"
            )
        seen.add(resolved(target))
