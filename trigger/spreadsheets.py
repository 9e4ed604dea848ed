"""Make CSV cells harmless to spreadsheets, which run text that begins like a formula."""

from __future__ import annotations

import re
from typing import TypeVar

T = TypeVar("T")
# Spreadsheets take the full-width signs for the plain ones, and may skip white space before them.
_FORMULA = re.compile("'*(?:[\t\r\n]|\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20])")
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?")


def escape_formula(cell: T) -> T | str:
    """Put an apostrophe before text that a spreadsheet would run; :func:`unescape_formula` undoes.

    Text that already begins with apostrophes and then a formula gets one more, so that nothing is
    lost. Numbers, also those given as text, and all other text stay as they are.

    Example:
        >>> escape_formula("=HYPERLINK(A1)"), escape_formula("IMG_1.jpg"), escape_formula(-1)
        ("'=HYPERLINK(A1)", 'IMG_1.jpg', -1)
    """
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def unescape_formula(cell: str) -> str:
    """Return the text that :func:`escape_formula` was given.

    Example:
        >>> unescape_formula("'=HYPERLINK(A1)"), unescape_formula("'tis.jpg")
        ('=HYPERLINK(A1)', "'tis.jpg")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
