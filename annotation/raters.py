"""Names of raters, and the invitation file with a token for each."""

from __future__ import annotations

import hashlib
import logging
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from pipelines.data.tables import csv_bytes, read_csv
from trigger.errors import DataError
from trigger.files import is_file, write_atomically

logger = logging.getLogger(__name__)

MAX_NAME = 60
MIN_TOKEN = 16


def clean_name(name: str) -> str:
    """Return a rater's name with single spaces, in Unicode form NFC.

    Raises:
        ValueError: it is empty, too long, or would be a formula in a spreadsheet.
    """
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not 1 <= len(name) <= MAX_NAME:
        raise ValueError(f"a name has 1 to {MAX_NAME} characters")
    if not name.isprintable() or not name[0].isalnum():
        raise ValueError("a name begins with a letter or digit")
    return name


def same_name(name: str, known: Sequence[str]) -> str:
    """Return the known spelling of a name, so that "ann" and "Ann" are one rater."""
    return next((other for other in known if other.casefold() == name.casefold()), name)


def read_raters(path: Path) -> dict[str, str]:
    """Read an invitation file: a CSV with the columns rater and token.

    Where a token is missing, a random one is made and written to the file, which only its owner
    may then read: whoever has a token can rate in that name.

    Returns:
        Token by rater.

    Raises:
        DataError: the file cannot be read or written, or a line is wrong.
    """
    table = read_csv(path)
    header, lines = table.header, list(table.rows)
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
        if len(token) < MIN_TOKEN:
            raise DataError(
                f"{path}, line {line}: a token has {MIN_TOKEN} or more characters; leave it "
                f"empty to have one made"
            )
        if same_name(name, list(raters)) in raters or token in raters.values():
            raise DataError(f"{path}, line {line}: {name!r} or this token is there twice")
        raters[name] = token
    _protect(path)
    if any(not row.get("token", "").strip() for row in rows):
        columns = list(dict.fromkeys([*rows[0], "token"]))  # also other people's
        made = [row | {"token": token} for row, token in zip(rows, raters.values(), strict=True)]
        content = csv_bytes(columns, ([row[name] for name in columns] for row in made))
        write_atomically(path, content)
    return raters


def _protect(path: Path) -> None:
    """Let only its owner read a file of tokens; writing to it later keeps that."""
    if is_file(path) and path.stat().st_mode & 0o077:
        try:
            path.chmod(0o600)
        except OSError as error:
            logger.warning(
                "%s: holds tokens and others may read it (%s); protect it with: chmod 600 %s",
                *(path, error.strerror, path),
            )


def rater_of(token: str, raters: Mapping[str, str]) -> str | None:
    """Return whose token it is; takes equally long for every wrong token."""
    given = _digest(token)
    found = None
    for rater, known in raters.items():
        if secrets.compare_digest(given, _digest(known)):
            found = rater
    return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
