"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipelines.evaluation.thresholds import MEASURES, Target
from trigger.cli.options import POSITIVE, POSITIVE_FLOAT, SEED
from trigger.errors import OptionError

if TYPE_CHECKING:
    from pipelines.training.options import LoopOptions

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


def loop_options(defaults: LoopOptions, seeded: str) -> Callable[[F], F]:
    """Add --epochs, --batch-size, --learning-rate and --seed to a command that trains.

    Args:
        defaults: values unless others are given.
        seeded: what the seed determines, for the help text.
    """

    def decorate(command: F) -> F:
        for name, kind, about in reversed(
            (
                ("epochs", POSITIVE, "Passes over the training data."),
                ("batch_size", POSITIVE, "Photos per step."),
                ("learning_rate", POSITIVE_FLOAT, "Peak learning rate of the cosine schedule."),
                ("seed", SEED, f"Seed of {seeded}."),
            )
        ):
            command = click.option(
                f"--{name.replace('_', '-')}",
                type=kind,
                default=getattr(defaults, name),
                show_default=True,
                help=about,
            )(command)
        return command

    return decorate
