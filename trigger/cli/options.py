"""Types of command-line options, and options that several commands share."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from trigger.assessment import MAX_THRESHOLD
from trigger.errors import OptionError
from trigger.files import can_be_written, is_folder

F = TypeVar("F", bound=Callable[..., Any])


class _FiniteFloat(click.ParamType[float]):
    """A float other than nan and infinity."""

    name = "number"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse the option's text."""
        try:
            number = float(str(value))
        except ValueError:
            number = math.nan
        if not abs(number) <= MAX_THRESHOLD:
            self.fail(f"{value!r} is not a finite number, like 0.4", param, ctx)
        return number


class _PositiveFloat(_FiniteFloat):
    """A float above 0, other than infinity."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse the option's text."""
        number = super().convert(value, param, ctx)
        if number <= 0:
            self.fail(f"{value!r} is not above 0", param, ctx)
        return number


class _LocalPath(click.ParamType[Path]):
    """A path on this machine, or mounted there; no URL."""

    name = "path"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """Refuse URLs, which `pathlib` would take for folders."""
        if "://" in str(value):
            self.fail(
                f"{value!r} is a URL, which cannot be read here; copy it to this machine and name "
                "the copy",
                param,
                ctx,
            )
        return Path(str(value))


class _Sha256(click.ParamType[str]):
    """A SHA-256 in hexadecimal."""

    name = "hex"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Require 64 hexadecimal digits."""
        if not re.fullmatch("[0-9a-fA-F]{64}", str(value)):
            self.fail(f"{value!r} is not a SHA-256: 64 hexadecimal digits", param, ctx)
        return str(value).lower()


FINITE = _FiniteFloat()
LOCAL_PATH = _LocalPath()
POSITIVE = click.IntRange(min=1)
POSITIVE_FLOAT = _PositiveFloat()
SEED = click.IntRange(0, 2**32 - 1)
SHA256 = _Sha256()


def model_file_options(command: F) -> F:
    """Add --model and --sha256, which ``trigger.model.load_model`` takes, to a command."""
    checked = click.option(
        "--sha256",
        type=SHA256,
        metavar="HEX",
        help="SHA-256 that the model file must have.",
    )
    model = click.option(
        "--model",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A .tflite file to use instead of the packaged model.",
    )
    return model(checked(command))


def seed_option(command: F) -> F:
    """Add --seed to a command."""
    return click.option(
        "--seed",
        type=SEED,
        default=0,
        show_default=True,
        metavar="N",
        help="Seed of the random numbers: equal seeds give equal results.",
    )(command)


def check_output(path: Path, option: str) -> None:
    """Refuse, before any work, a file that could not be written after it.

    Raises:
        OptionError: it is a folder, there is none to hold it, or nothing may be written there.
    """
    if str(path) == "-":
        raise OptionError(f"{option} -: is no file; for standard output give /dev/stdout")
    if is_folder(path):
        raise OptionError(f"{option} {path}: is a folder; give the path of a file")
    if not can_be_written(path):
        raise OptionError(
            f"{option} {path}: cannot be written; give a file in an existing folder where you may "
            "write"
        )
