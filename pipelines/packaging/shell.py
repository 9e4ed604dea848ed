"""Shell text of commands, made from the arguments of the functions that they call."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator


def shell_text(command: str, *inputs: object, **keywords: object) -> str:
    """Write the ``trigger`` command that makes the same call as a function.

    Keyword arguments become options of the same name; of a dataclass, the fields that differ from
    their defaults.

    Args:
        command: after ``trigger``.
        inputs: positional arguments.
        keywords: keyword arguments.

    Example:
        >>> from pipelines.training import TrainOptions
        >>> shell_text("train", "labels", out="baseline", options=TrainOptions(average=True))
        'trigger train labels --out baseline --average'
    """
    words = ["trigger", *command.split(), *map(str, inputs)]
    for name, value in keywords.items():
        words += _option(name, value)
    return shlex.join(words)


def _option(name: str, value: object) -> Iterator[str]:
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            given = getattr(value, field.name)
            if given != field.default:
                yield from _option(field.name, given)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _option(name, item)
    elif value is True:
        yield f"--{name.replace('_', '-')}"
    elif value is not None and value is not False:
        yield from (f"--{name.replace('_', '-')}", str(value))
