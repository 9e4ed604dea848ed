"""Saying what happened to photos whose names somebody else chose."""

from __future__ import annotations

import sys


def printable(text: str) -> str:
    """Escape what would move a terminal's cursor or break the line; file names may hold it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def complain(problem: object) -> None:
    """Tell on standard error what went wrong."""
    sys.stderr.write(f"trigger: {printable(str(problem))}\n")


def leave_out(problem: object) -> None:
    """Tell on standard error what a command goes on without, and why."""
    complain(f"left out {problem}")
