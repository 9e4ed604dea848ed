"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from pipelines.evaluation.thresholds import MEASURES, Target
from trigger.errors import OptionError

F = TypeVar("F", bound=Callable[..., Any])


def target_options(command: F) -> F:
    """Add --target-precision, --target-recall and --target-alert-rate, passed on as ``target``.

    At most one may be given; ``target`` is a :class:`Target`, or None without any.
    """

    @functools.wraps(command)
    def with_target(**given: Any) -> Any:
        shares = {measure: given.pop(f"target_{measure}") for measure in MEASURES}
        targets = [Target(name, share) for name, share in shares.items() if share is not None]
        if len(targets) > 1:
            names = (f"--target-{target.measure.replace('_', '-')}" for target in targets)
            raise OptionError(f"{' and '.join(names)} exclude each other; give one of them")
        return command(**given, target=targets[0] if targets else None)

    decorated: Any = with_target
    for measure, meaning in reversed(MEASURES.items()):
        decorated = click.option(
            f"--target-{measure.replace('_', '-')}",
            type=float,
            metavar="SHARE",
            help=f"Choose the threshold: {meaning}.",
        )(decorated)
    return decorated
