"""``trigger score``: the score of each photo given."""

from __future__ import annotations

import argparse
import json
import sys

from trigger.assessment import RejectedPhoto
from trigger.commands.common import (
    EXIT_CODES,
    HEADER,
    add_common_arguments,
    line,
    load_trigger,
)
from trigger.console.terminal import complain

EPILOG = f"""{EXIT_CODES}

example: trigger score *.jpg --threshold 0.5
example: trigger score IMG_0042.jpg --json | jq .score"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``trigger score``."""
    add_common_arguments(parser)
    parser.description = "Score photos, in the order given: how much would enhancement gain?"
    parser.epilog = EPILOG
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="photo file")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print JSON lines: one object per photo, with 'score' or with 'error'",
    )


def run(args: argparse.Namespace) -> int:
    """Print a line per photo; return 1 if one of them could not be read."""
    trigger = load_trigger(args)
    code = 0
    if not args.json:
        sys.stdout.write(f"{HEADER}\n")
    for result in trigger.assess_all(args.photos, workers=args.workers):
        if isinstance(result, RejectedPhoto):
            code = 1
            complain(result)
        if args.json:
            sys.stdout.write(json.dumps(result.to_json()) + "\n")
        elif not isinstance(result, RejectedPhoto):
            sys.stdout.write(line(result))
        sys.stdout.flush()
    return code
