"""Write docs/commands.md, the help of every command: ``python docs/make_commands.py``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from trigger.cli.app import make_program

TARGET = Path(__file__).with_name("commands.md")
WIDTH = 100
HEAD = """# Commands

Every command and option, as `--help` prints them. Written by `python docs/make_commands.py`.
"""


def commands(
    group: click.Group, parent: click.Context
) -> Iterator[tuple[click.Command, click.Context]]:
    """Every command below a group with its context, groups before their commands."""
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None
        context = command.context_class(
            command, parent=parent, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH
        )
        yield command, context
        if isinstance(command, click.Group):
            yield from commands(command, context)


def reference() -> str:
    """The content of the page."""
    program = make_program()
    context = click.Context(
        program, info_name="trigger", terminal_width=WIDTH, max_content_width=WIDTH
    )
    parts = [HEAD, _section(program, context)]
    parts += [_section(*found) for found in commands(program, context)]
    return "\n".join(parts)


def _section(command: click.Command, context: click.Context) -> str:
    text = inspect.cleandoc(command.get_help(context))
    return f"## {context.command_path}\n\n```text\n{text}\n```\n"


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
