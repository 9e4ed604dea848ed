"""Read CSV tables as people have them, and write tables that spreadsheets open safely.

Read are commas, semicolons and tabs, or what a first line ``sep=`` of Excel names; UTF-8 and
UTF-16, with or without a byte-order mark; any line ends. Blank lines, also those of separators
alone, are skipped, and empty cells beyond the header are dropped.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from trigger.errors import DataError
from trigger.spreadsheets import escape_formula, unescape_formula

SEPARATORS = ",;\t"
_SEPARATOR_LINE = re.compile('"?sep=([^"\r\n])"?[,;\t]*[\r\n]*', re.IGNORECASE)
_MARKS = {  # UTF-32 first: its little-endian mark begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True)
class Table:
    """A CSV table that is being read.

    Attributes:
        name: of the file, for messages.
        header: the names of the columns, without spaces around them.
        rows: the other rows, once: the line where each begins, counted from 1, and its cells as
            they are in the file. Iterating raises DataError where the file is damaged.
    """

    name: str
    header: list[str]
    rows: Iterator[tuple[int, list[str]]]

    def column(self, name: str) -> Iterator[str]:
        """Yield the cell of one column from each row; "" where the row ends before it."""
        place = self.header.index(name)
        for _, cells in self.rows:
            yield cells[place] if place < len(cells) else ""


def open_csv(file: BinaryIO, name: str, *, errors: str = "strict") -> Table:
    """Begin to read a CSV table; rows are read as they are asked for.

    Args:
        file: the content; stays in use until all rows are read.
        name: of the file, for messages.
        errors: what to do with bytes that are not UTF-8: "strict" raises, "surrogateescape" keeps
            them, as Python does in names of files.

    Raises:
        DataError: it is empty or cannot be decoded.

    Example:
        >>> table = open_csv(io.BytesIO(b"sep=;\\npath;rating\\na.png;2\\n;\\n"), "ratings.csv")
        >>> table.header, list(table.rows)
        (['path', 'rating'], [(3, ['a.png', '2'])])
    """
    records = _records(file, name, errors)
    _, header = next(records, (0, []))
    if not header:
        raise DataError(f"{name}: not a readable CSV (it is empty)")
    header = [cell.strip() for cell in header]
    while not header[-1]:
        header.pop()
    return Table(name, header, ((line, _fitted(cells, header)) for line, cells in records))


def open_lines(file: BinaryIO, *, errors: str = "strict") -> Iterator[str]:
    r"""Yield the lines of a text file without their ends, in the encodings of :func:`open_csv`.

    Args:
        file: the content; stays in use until all lines are read.
        errors: as of :func:`open_csv`.

    Example:
        >>> list(open_lines(io.BytesIO("a.png\r\nb.png\n".encode("utf-16"))))
        ['a.png', 'b.png']
    """
    with _text(file, errors) as lines:
        for line in lines:
            yield line.rstrip("\r\n")


def read_csv(path: Path) -> Table:
    """Read a whole CSV file; see :func:`open_csv`.

    Raises:
        DataError: it is missing, cannot be read or decoded, or is empty.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; give the path of a CSV") from error
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); give a readable CSV"
        ) from error
    return open_csv(io.BytesIO(content), str(path))


def read_frame(path: Path) -> pd.DataFrame:
    """Read a whole CSV file as text columns, indexed by the line where each row begins.

    Raises:
        DataError: as :func:`read_csv`, a row has more or fewer cells than the header, or a column
            is there twice.

    Example:
        >>> table = read_frame(Path("mos.csv"))  # doctest: +SKIP
        >>> table["mos"].map(number)  # doctest: +SKIP
    """
    table = read_csv(path)
    if len(set(table.header)) < len(table.header):
        raise DataError(f"{path}: has a column twice; got {table.header}")
    lines, rows = [], []
    for line, cells in table.rows:
        try:
            check_width(cells, table.header)
        except ValueError as error:
            raise DataError(f"{path}, line {line}: {error}") from error
        lines.append(line)
        rows.append(cells)
    return pd.DataFrame(rows, index=pd.Index(lines, name="line"), columns=table.header, dtype=str)


def check_width(cells: Sequence[str], header: Sequence[str]) -> None:
    """Raise ValueError unless a row has as many cells as the header."""
    if len(cells) != len(header):
        raise ValueError(f"has {len(cells)} cells, but the header has {len(header)}")


def number(text: str) -> float:
    """Parse a number with a decimal point or, as in many countries' tables, a decimal comma.

    Raises:
        ValueError: it is no number.
    """
    return float(text.replace(",", ".") if "." not in text else text)


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return a CSV in UTF-8, read back by :func:`open_csv`; None becomes an empty cell.

    Text that a spreadsheet would run as a formula is escaped.

    Raises:
        DataError: a cell holds the name of a file that is not UTF-8.

    Example:
        >>> csv_bytes(["path", "rating"], [["a.png", -1], ["=b.png", None]])
        b"path,rating\\na.png,-1\\n'=b.png,\\n"
    """
    lines = [["" if cell is None else escape_formula(cell) for cell in row] for row in rows]
    # The module quotes a carriage return, which names of files may hold, only as a line's end.
    ends = any("\r" in cell for row in lines for cell in row if isinstance(cell, str))
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, csv.unix_dialect if ends else csv.excel, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(lines)
    return _encoded(buffer.getvalue())


def frame_bytes(table: pd.DataFrame) -> bytes:
    """Return a table as CSV without its index, as :func:`csv_bytes` does.

    Raises:
        DataError: a cell holds the name of a file that is not UTF-8.
    """
    safe = table.copy()
    for name in table.select_dtypes(exclude="number"):
        safe[name] = table[name].map(escape_formula)
    text = safe.to_csv(index=False, lineterminator="\n")
    if "\r" in text:
        text = safe.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    return _encoded(text)


def check_path(path: str) -> str:
    """Return a path that a table can hold.

    Raises:
        DataError: it is not UTF-8.
    """
    _encoded(path)
    return path


def _records(file: BinaryIO, name: str, errors: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of all records that are not blank, each with the line where it begins."""
    begin = 1
    try:
        with _text(file, errors) as lines:
            first = next(lines, "")
            while first and not first.strip():
                first = next(lines, "")
                begin += 1
            if said := _SEPARATOR_LINE.fullmatch(first):
                first = next(lines, "")
                begin += 1
            reader = csv.reader(
                chain([first], lines), delimiter=said[1] if said else _separator(first), strict=True
            )
            before = begin
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield begin, [unescape_formula(cell) for cell in cells]
                begin = before + reader.line_num
    except csv.Error as error:
        raise DataError(f"{name}, line {begin}: not a readable CSV ({error})") from error
    except UnicodeError as error:
        raise DataError(f"{name}: not a readable CSV ({error}); save it as UTF-8") from error


@contextmanager
def _text(file: BinaryIO, errors: str) -> Iterator[io.TextIOWrapper]:
    content = file if file.seekable() else io.BytesIO(file.read())
    text = io.TextIOWrapper(content, encoding=_encoding(content), errors=errors, newline="")
    try:
        yield text
    finally:
        with suppress(ValueError):  # the file is closed already
            text.detach()  # or the file would be closed with it


def _encoding(file: BinaryIO) -> str:
    """Tell the encoding from the beginning of a file, which is rewound."""
    head = file.read(512)
    file.seek(0)
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    # Without a mark: most characters of a header have an empty half.
    for encoding, halves in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if halves.count(0) > len(halves) // 2:
            return encoding
    return "utf-8-sig"


def _separator(header: str) -> str:
    """Return the separator that makes most columns of the first line."""
    return max(SEPARATORS, key=lambda sep: len(next(csv.reader([header], delimiter=sep), [])))


def _fitted(cells: list[str], header: Sequence[str]) -> list[str]:
    """Drop empty cells beyond the header."""
    while len(cells) > len(header) and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        name = error.object[max(error.start - 60, 0) : error.end]
        raise DataError(
            f"the name of a file or folder is not UTF-8, near {name!r}; rename it to keep it in a "
            "table"
        ) from error
