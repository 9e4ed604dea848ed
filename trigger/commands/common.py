"""What ``trigger score`` and ``trigger rank`` share, and what scores photos like them."""

from __future__ import annotations

import argparse

from trigger.assessment import DEFAULT_THRESHOLD, Assessment, Trigger
from trigger.cli.options import finite_number, positive_number
from trigger.console.quiet import native_messages_muted
from trigger.console.terminal import printable
from trigger.views import VIEWS

EXIT_CODES = "exit codes: 0 all photos read, 1 some could not be read (or an error), 2 wrong usage"
HEADER = "   score  alert  photo"


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --threshold, --model, --views and --workers."""
    parser.add_argument(
        "--threshold",
        type=finite_number,
        default=DEFAULT_THRESHOLD,
        metavar="SCORE",
        help="score from which on a photo raises an alert (default: %(default)s)",
    )
    parser.add_argument(
        "--model", metavar="FILE", help=".tflite file to use instead of the packaged model"
    )
    parser.add_argument(
        "--views",
        choices=VIEWS,
        default="whole",
        help="what the model is shown: the whole photo, or also tiles of large photos at full "
        "resolution, which finds fine noise and takes about three times as long (default: whole)",
    )
    parser.add_argument(
        "--workers",
        type=positive_number,
        metavar="N",
        help="photos worked on at a time (default: one per core, at most 4)",
    )


def load_trigger(args: argparse.Namespace) -> Trigger:
    """Load what the common arguments ask for."""
    with native_messages_muted():
        return Trigger(args.threshold, args.model, views=args.views)


def line(photo: Assessment) -> str:
    """Return an aligned line for people."""
    alert = "alert" if photo.enhance else "-"
    return f"{photo.score:8.3f}  {alert:5}  {printable(photo.photo)}\n"
