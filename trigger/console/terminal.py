"""Escape text from elsewhere, such as file names, for the terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Escape characters that would move a terminal's cursor or break the line.

    Example:
        >>> printable("a\\nb.jpg")
        'a\\\\nb.jpg'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
