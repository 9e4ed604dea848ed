"""What the commands share: option types, the model, lines for people."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from trigger.assessment import (
    DEFAULT_THRESHOLD,
    Assessment,
    RejectedPhoto,
    Trigger,
    check_threshold,
)
from trigger.quiet import native_messages_muted
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


def complain(photo: RejectedPhoto) -> None:
    """Tell on standard error why a photo was not read."""
    sys.stderr.write(f"trigger: {printable(photo.photo)}: {printable(photo.message)}\n")


def printable(text: str) -> str:
    """Escape what would move a terminal's cursor or break the line; file names may hold it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def finite_number(text: str) -> float:
    """Option type: a float other than nan and infinity."""
    try:
        return check_threshold(float(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number, like 0.4") from None


def positive_number(text: str) -> int:
    """Option type: a whole number of at least 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def positive_float(text: str) -> float:
    """Option type: a float above 0, other than infinity."""
    number = finite_number(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
    return number


def random_seed(text: str) -> int:
    """Option type: what random numbers begin with, 0 to 2**32 - 1."""
    if not text.isascii() or not text.isdigit() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {2**32 - 1}")
    return int(text)


def local_path(text: str) -> Path:
    """Option type: a path on this machine, or mounted there; no URL."""
    if "://" in text:
        raise argparse.ArgumentTypeError(
            f"{text!r} is a URL, which is not read here; copy it to this machine and name the copy"
        )
    return Path(text)
