"""Who may rate: names, and the invitation file with a token for each."""

from __future__ import annotations

import csv
import hashlib
import io
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from pipelines.ratings.table import read_lines
from trigger.errors import DataError
from trigger.files import write_atomically

LONGEST_NAME = 60
SHORTEST_TOKEN = 16


def clean_name(name: str) -> str:
    """A rater's name without needless spaces.

    Raises:
        ValueError: it is empty, too long, or would be a formula in a spreadsheet.
    """
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise ValueError(f"a name has 1 to {LONGEST_NAME} characters")
    if not name.isprintable() or not name[0].isalnum():
        raise ValueError("a name begins with a letter or digit")
    return name


def same_name(name: str, known: Sequence[str]) -> str:
    """The known spelling of a name, so that "ann" and "Ann" are one rater."""
    return next((other for other in known if other.casefold() == name.casefold()), name)


def read_raters(path: Path) -> dict[str, str]:
    """Read an invitation file: a CSV with the columns rater and token; see ``read_lines``.

    Where a token is missing, a random one is made and written to the file.

    Returns:
        Token by rater.

    Raises:
        DataError: the file cannot be read or written, or a line is wrong.
    """
    (_, header), *lines = read_lines(path)
    header = [name.strip() for name in header]
    if "rater" not in header or not lines:
        raise DataError(
            f"{path}: has the columns {', '.join(map(repr, header))} and {len(lines)} lines below "
            "them; it needs the column 'rater' and a line for each; 'token' may be empty"
        )
    rows: list[dict[str, str]] = []
    raters: dict[str, str] = {}
    for line, cells in lines:
        if len(cells) > len(header):
            raise DataError(f"{path}, line {line}: has more cells than the header")
        row = dict(zip_longest(header, cells, fillvalue=""))
        rows.append(row)
        try:
            name = clean_name(row["rater"])
        except ValueError as error:
            raise DataError(f"{path}, line {line}: rater is {row['rater']!r}; {error}") from error
        token = row.get("token", "").strip() or secrets.token_urlsafe(24)
        if len(token) < SHORTEST_TOKEN:
            raise DataError(
                f"{path}, line {line}: a token has {SHORTEST_TOKEN} or more characters; leave it "
                f"empty to have one made"
            )
        if same_name(name, list(raters)) in raters or token in raters.values():
            raise DataError(f"{path}, line {line}: {name!r} or this token is there twice")
        raters[name] = token
    if any(not row.get("token", "").strip() for row in rows):
        _write_raters(path, rows, list(raters.values()))
    return raters


def _write_raters(path: Path, rows: Sequence[dict[str, str]], tokens: Sequence[str]) -> None:
    buffer = io.StringIO(newline="")
    columns = list(dict.fromkeys([*rows[0], "token"]))  # those of others, too
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row | {"token": token} for row, token in zip(rows, tokens, strict=True))
    write_atomically(path, buffer.getvalue().encode())


def rater_of(token: str, raters: Mapping[str, str]) -> str | None:
    """Whose token it is; takes equally long for every wrong token."""
    given = _digest(token)
    found = None
    for rater, known in raters.items():
        if secrets.compare_digest(given, _digest(known)):
            found = rater
    return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
