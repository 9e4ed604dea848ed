"""Click groups whose commands are imported only when they are used."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from trigger.console.quiet import native_messages_muted
from trigger.errors import MissingExtra

_OWN_PACKAGES = {"trigger", "pipelines", "annotation", "export"}


@dataclass(frozen=True)
class Entry:
    """A subcommand in the table of commands.

    Attributes:
        module: holds the click command, under the name ``command``.
        help: one line for the list of commands.
        extra: the optional dependencies that it needs.
        name: of the command in its module, where that holds several.
    """

    module: str
    help: str
    extra: str | None = None
    name: str = "command"


@dataclass(frozen=True)
class Group:
    """Subcommands under one word, such as ``trigger ratings export``."""

    help: str
    commands: Mapping[str, Entry]


class LazyGroup(click.Group):
    """A group that lists its commands without importing them."""

    def __init__(self, name: str, table: Mapping[str, Entry | Group], **settings: Any) -> None:
        super().__init__(name, no_args_is_help=False, **settings)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or make the group of that name."""
        entry = self.table.get(cmd_name)
        if entry is None:
            return None
        if isinstance(entry, Group):
            return LazyGroup(cmd_name, entry.commands, help=entry.help)
        try:
            with native_messages_muted():
                module = importlib.import_module(entry.module)
                command = getattr(module, entry.name)
        except ModuleNotFoundError as error:
            _remember(error, entry, f"{ctx.command_path} {cmd_name}")
            raise
        assert isinstance(command, click.Command)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse a line that ends before a command is named, and list the commands."""
        if not args and not ctx.resilient_parsing:
            raise click.UsageError(
                f"name a command: {', '.join(self.table)} "
                f"({ctx.command_path} --help describes them)",
                ctx,
            )
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was named, or suggest similar names."""
        name = args[0]
        if name in self.table or name.startswith("-"):
            return super().resolve_command(ctx, args)
        close = difflib.get_close_matches(name, self.table)
        meant = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
        message = f"there is no command {name!r}{meant} ({ctx.command_path} --help lists all)"
        raise click.UsageError(message, ctx)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named; remember it if a package it needs is missing."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            name = ctx.invoked_subcommand
            entry = self.table.get(name) if name else None
            if isinstance(entry, Entry):
                _remember(error, entry, f"{ctx.command_path} {name}")
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self.table.items()])


def missing_extra(error: ModuleNotFoundError) -> MissingExtra | None:
    """Return the error that names the extra with the missing package, if an extra has it."""
    entry, command = getattr(error, "_trigger_command", (None, ""))
    missing = (error.name or "").partition(".")[0]
    if entry is None or entry.extra is None or missing in _OWN_PACKAGES:
        return None
    return MissingExtra(entry.extra, missing, command)


def _remember(error: ModuleNotFoundError, entry: Entry, command: str) -> None:
    if not hasattr(error, "_trigger_command"):  # the innermost group knows best
        error._trigger_command = (entry, command)  # type: ignore[attr-defined]
