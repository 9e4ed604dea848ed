"""``trigger enhance``: enhance photos into new files next to them."""

from __future__ import annotations

import json
import logging
import sys

import click

from pipelines.enhancers import (
    DEFAULT_ENHANCER,
    ENHANCER_SPECS,
    Enhanced,
    NotEnhanced,
    enhance_photos,
    load_enhancer,
)
from pipelines.enhancers.photo_files import WRITABLE
from pipelines.scorers import DEFAULT_SCORER, load_scorer
from trigger.assessment import Trigger
from trigger.console.quiet import native_messages_muted
from trigger.console.terminal import printable

logger = logging.getLogger(__name__)

EPILOG = f"""\b
score, left  what enhancement would gain before and after, by the packaged trigger
delta        how much better the scorer finds the enhanced photo, in points of
             1..10; above 0, it helped

{WRITABLE} files are written. Photos that would lose something are refused: animations,
transparency, more than 8 bits, CMYK; and, without --drop-extras, motion photos, gain maps (HDR),
further pictures and content credentials. Results of an earlier run of the same enhancer,
NAME-ENHANCER next to NAME, are skipped, and their number is reported.

Exit codes: 0 all done, 1 some photos failed (or an error), 2 wrong usage.

\b
Examples:
  trigger enhance *.jpg --keep-if-better
  trigger enhance IMG_0042.jpg --enhancer deblur
"""


@click.command(epilog=EPILOG)
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@click.option(
    "--enhancer",
    default=DEFAULT_ENHANCER,
    show_default=True,
    metavar="NAME|PATH",
    help=f"{ENHANCER_SPECS[0].upper()}{ENHANCER_SPECS[1:]}. SavedModels, handles and factories "
    "are programs: use those that you trust.",
)
@click.option(
    "--scorer",
    default=DEFAULT_SCORER,
    show_default=True,
    help="Which model judges the result: a name or a model file.",
)
@click.option("--keep-if-better", is_flag=True, help="Write only where it helped (delta above 0).")
@click.option("--force", is_flag=True, help="Replace new files that exist; never the photo itself.")
@click.option(
    "--drop-extras",
    is_flag=True,
    help="Leave out of the new file what enhancing breaks (the clip of a motion photo, a gain "
    "map, further pictures, content credentials) instead of refusing; what is dropped is named.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON lines: one object per photo that is not skipped, with 'delta' or with "
    "'error', which has 'reason' (as of trigger score; or enhance, score, write: what failed) and "
    "'message'.",
)
def command(
    photos: tuple[str, ...],
    enhancer: str,
    scorer: str,
    keep_if_better: bool,
    force: bool,
    drop_extras: bool,
    as_json: bool,
) -> int:
    """Enhance photos into new files next to them: IMG_0042.jpg becomes IMG_0042-restorer.jpg.

    Metadata and orientation are kept, and the photos themselves are never touched.
    """
    with native_messages_muted():
        models = load_enhancer(enhancer), load_scorer(scorer), Trigger()
    results = enhance_photos(
        photos,
        *models,
        keep_if_better=keep_if_better,
        force=force,
        drop_extras=drop_extras,
        show_progress=True,
    )
    if not as_json:
        sys.stdout.write("   score    left   delta  helped  file\n")
    code = 0
    for result in results:
        if isinstance(result, NotEnhanced):
            code = 1
            logger.warning("%s", result)
        elif result.dropped:
            logger.warning("%s: dropped %s", result.photo, "; ".join(result.dropped))
        if as_json:
            sys.stdout.write(json.dumps(result.to_json()) + "\n")
        elif isinstance(result, Enhanced):
            sys.stdout.write(_line(result))
        sys.stdout.flush()
    return code


def _line(result: Enhanced) -> str:
    helped = "yes" if result.helped else "no"
    file = printable(result.file or f"{result.photo} stays as it is")
    return f"{result.score:8.3f}{result.score_after:8.3f}{result.delta:+8.3f}  {helped:6}  {file}\n"
