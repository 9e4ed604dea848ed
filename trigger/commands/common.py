"""Options and output that ``trigger score`` and ``trigger rank`` share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from trigger.assessment import DEFAULT_THRESHOLD, Assessment, Trigger
from trigger.cli.options import FINITE, POSITIVE, model_file_options
from trigger.console.quiet import native_messages_muted
from trigger.console.terminal import counted, printable
from trigger.model import load_model
from trigger.views import VIEWS

logger = logging.getLogger(__name__)

EXIT_CODES = "Exit codes: 0 all photos read, 1 some could not be read (or an error), 2 wrong usage."
HEADER = "   score  alert  photo"

F = TypeVar("F", bound=Callable[..., Any])


def model_options(command: F) -> F:
    """Add --threshold, --model, --sha256, --views and --workers to a command."""
    options = [
        click.option(
            "--threshold",
            type=FINITE,
            default=DEFAULT_THRESHOLD,
            metavar="SCORE",
            show_default=True,
            help="Score from which a photo raises an alert.",
        ),
        model_file_options,
        click.option(
            "--views",
            type=click.Choice(VIEWS),
            default="whole",
            show_default=True,
            help="What the model sees: the whole photo, or also tiles of large photos at full "
            "resolution, which finds fine noise and takes about three times as long.",
        ),
        click.option(
            "--workers",
            type=POSITIVE,
            metavar="N",
            help="Photos processed at a time (default: one per core, at most 4).",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def load_trigger(threshold: float, model: Path | None, sha256: str | None, views: str) -> Trigger:
    """Load the model without the messages of the native runtime."""
    with native_messages_muted():
        return Trigger(threshold, load_model(model, sha256=sha256), views=views)


def line(photo: Assessment) -> str:
    """Return an aligned line for people."""
    alert = "alert" if photo.enhance else "-"
    return f"{photo.score:8.3f}  {alert:5}  {printable(photo.photo)}\n"


def report_broken_profiles(count: int) -> None:
    """Say how many photos had an ICC profile that could not be used, if any."""
    if count:
        logger.info("%s with a broken ICC profile, taken for sRGB", counted(count, "photo"))
