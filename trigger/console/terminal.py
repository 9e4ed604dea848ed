"""Text for the terminal: escaped file names, and counts."""

from __future__ import annotations


def printable(text: str) -> str:
    """Escape characters that would move a terminal's cursor or break the line.

    Example:
        >>> printable("a\\nb.jpg")
        'a\\\\nb.jpg'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is one.

    Example:
        >>> counted(1, "photo"), counted(1000, "photo")
        ('1 photo', '1000 photos')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
