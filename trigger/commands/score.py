"""``trigger score``: the score of each photo given."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import click

from trigger.assessment import RejectedPhoto
from trigger.commands.common import (
    EXIT_CODES,
    HEADER,
    line,
    load_trigger,
    model_options,
    report_broken_profiles,
)

logger = logging.getLogger(__name__)

EPILOG = f"""{EXIT_CODES}

\b
Examples:
  trigger score *.jpg --threshold 0.5
  trigger score IMG_0042.jpg --json | jq .score
  curl https://example.org/photo.jpg | trigger score -
"""


@click.command(epilog=EPILOG)
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@model_options
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON lines: one object per photo, with 'score' or with 'error'.",
)
def command(
    photos: tuple[str, ...],
    threshold: float,
    model: Path | None,
    sha256: str | None,
    views: str,
    workers: int | None,
    as_json: bool,
) -> int:
    """Score photos, in the order given: how much would enhancement gain?

    The photo - is read from standard input.
    """
    trigger = load_trigger(threshold, model, sha256, views)
    code = broken_profiles = 0
    if not as_json:
        sys.stdout.write(f"{HEADER}\n")
    sources = (sys.stdin.buffer if photo == "-" else photo for photo in photos)
    for result in trigger.assess_all(sources, workers=workers):
        if isinstance(result, RejectedPhoto):
            code = 1
            logger.warning("%s", result)
        else:
            broken_profiles += result.profile_use == "broken"
        if as_json:
            sys.stdout.write(json.dumps(result.to_json()) + "\n")
        elif not isinstance(result, RejectedPhoto):
            sys.stdout.write(line(result))
        sys.stdout.flush()
    report_broken_profiles(broken_profiles)
    return code
