"""``trigger rank``: the photos of folders, best candidates for enhancement first."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from trigger.cli.options import check_output, positive_number
from trigger.commands.common import (
    EXIT_CODES,
    HEADER,
    add_common_arguments,
    line,
    load_trigger,
)
from trigger.console.progress import track
from trigger.console.terminal import complain, printable
from trigger.errors import DataError, OptionError
from trigger.files import resolved, write_atomically
from trigger.pages.contact_sheet import MAX_PHOTOS, contact_sheet, make_thumbnails
from trigger.photo.decoder import PHOTO_EXTENSIONS, find_photos
from trigger.ranking import Ranking, rank
from trigger.threads import default_workers

EPILOG = f"""{EXIT_CODES}

example: trigger rank ~/Pictures --top 20 --html candidates.html"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``trigger rank``."""
    add_common_arguments(parser)
    parser.description = (
        "Rank all photos of folders, the best candidates for enhancement first.\n"
        "Hidden files and folders are skipped, links to folders are not followed; folders within "
        "that hold labels or pairs, made from photos, are named and left out."
    )
    parser.epilog = EPILOG
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="folder, or photo file")
    parser.add_argument(
        "--top",
        type=positive_number,
        metavar="N",
        help="show only the N best candidates in the list and the contact sheet",
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the whole ranking as CSV")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the whole ranking as JSON")
    parser.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help=f"write a contact sheet to look at (the {MAX_PHOTOS} best candidates at most)",
    )


def run(args: argparse.Namespace) -> int:
    """Rank, print, write; return 1 if a photo could not be read."""
    _check_outputs(args)
    trigger = load_trigger(args)
    # A folder may be named twice, in two ways.
    paths = list({os.path.abspath(path): path for path in find_photos(args.folders)}.values())  # noqa: PTH100
    if not paths:
        raise DataError(
            f"no photos in {', '.join(args.folders)}; "
            f"looked for files named *{' *'.join(sorted(PHOTO_EXTENSIONS))}"
        )
    results = trigger.assess_all(paths, workers=args.workers)
    ranking = rank(
        track(results, len(paths), "scoring"), model=trigger.model.name, threshold=trigger.threshold
    )
    # Before the list, whose reader may have seen enough and end this command.
    if ranking.photos:  # an empty ranking is not worth the one that it would replace
        _write_files(ranking, args)
    sys.stdout.write(f"{HEADER}\n")
    sys.stdout.writelines(line(photo) for photo in ranking.photos[: args.top])
    sys.stdout.flush()
    for rejected in ranking.rejected:
        complain(rejected)
    sys.stderr.write(
        f"{len(ranking.photos)} photos ranked, {ranking.alerts} reach the threshold "
        f"{ranking.threshold:g}, {len(ranking.rejected)} could not be read\n"
    )
    return 1 if ranking.rejected else 0


def _write_files(ranking: Ranking, args: argparse.Namespace) -> None:
    if args.csv:
        write_atomically(args.csv, ranking.to_csv().encode("utf-8", "surrogateescape"))
    if args.json:
        write_atomically(args.json, ranking.to_json().encode())
    if args.html:
        shown = ranking.photos[: min(args.top or MAX_PHOTOS, MAX_PHOTOS)]
        thumbnails = make_thumbnails(shown, workers=args.workers or default_workers())
        pictures = track(thumbnails, len(shown), "thumbnails")
        page = contact_sheet(ranking, shown, pictures, args.html.absolute().parent)
        write_atomically(args.html, page.encode("utf-8", "backslashreplace"))
    for target in (args.csv, args.json, args.html):
        if target:
            sys.stderr.write(f"wrote {printable(str(target))}\n")


def _check_outputs(args: argparse.Namespace) -> None:
    """Refuse, before any work, what could not be written or would cost a photo."""
    seen: set[Path] = set()
    for option, target in (("--csv", args.csv), ("--json", args.json), ("--html", args.html)):
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
