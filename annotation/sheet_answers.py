"""Turn answers to blind sheets into ratings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from annotation.sheets import ANSWER_COLUMNS, Key, Sheet, read_key
from pipelines.data import tables
from pipelines.data.tables import check_width, read_csv
from pipelines.ratings.table import Rating, check_unique
from trigger.errors import DataError

OPTIONAL_COLUMNS = ("rater", "skip", "time", "seconds")
MAX_STEP = 2


def read_answers(sheets: Path, answers: Path, *, rater: str = "") -> list[Rating]:
    """Turn answers to sheets into ratings.

    An answer "A is better by step 2" is the rating 2 where A is the enhanced photo, and -1 where
    it is the original; step 0 and "same" are 0.

    Args:
        sheets: SHEETS.
        answers: a CSV, or a JSON list of objects, with pair, better (A, B or same; empty: not
            answered) and step (0..2), and if known rater, skip (a reason), time and seconds. A
            JSON object {"rater": NAME, "answers": [...]} is read, too.
        rater: who answered, where the file does not name the rater; default: the name of the file.

    Returns:
        One rating per answer, with sentinels and repeats marked.

    Raises:
        DataError: an answer is wrong or for no sheet of these; the message names it.

    Example:
        >>> rows = read_answers(Path("sheets"), Path("answers-ann.csv"))  # doctest: +SKIP
        >>> print(summarize(rows).text())  # doctest: +SKIP
    """
    key = read_key(sheets)
    known = {sheet.name: sheet for sheet in key.sheets}
    found, named = _read_cells(answers)
    default = {
        "rater": rater or named or answers.stem,
        "time": datetime.fromtimestamp(answers.stat().st_mtime, UTC).isoformat(timespec="seconds"),
    }
    rows: list[Rating] = []
    seen: dict[tuple[object, ...], str] = {}
    for place, cells in found:
        try:
            row = _rating(key, known, default | {n: text for n, text in cells.items() if text})
            if row is not None:
                check_unique(row, place, seen)
                rows.append(row)
        except ValueError as error:
            raise DataError(f"{answers}, {place}: {error}") from error
    if not rows:
        raise DataError(f"{answers}: holds no answers")
    return rows


def side_preferences(rows: Sequence[Rating]) -> dict[str, tuple[int, int]]:
    """Count for each rater how often A, the left photo, was preferred, and how often either was.

    A share far from one half reveals a rater who prefers one side whatever it shows.

    Args:
        rows: answers to sheets.

    Example:
        >>> side_preferences(read_answers(Path("sheets"), Path("ann.csv")))  # doctest: +SKIP
        {'ann': (24, 51)}
    """
    counts: dict[str, tuple[int, int]] = {}
    for row in rows:
        if row.rating:
            left, either = counts.get(row.rater, (0, 0))
            prefers_left = (row.rating > 0) == ("after=left" in row.view)
            counts[row.rater] = (left + prefers_left, either + 1)
    return counts


def _read_cells(path: Path) -> tuple[list[tuple[str, dict[str, str]]], str]:
    """Return the place and the cells of each answer, and the rater if the file names one."""
    if path.suffix.lower() != ".json":
        return list(_csv_cells(path)), ""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not readable JSON ({error})") from error
    rater = ""
    if isinstance(content, Mapping):
        rater, content = str(content.get("rater") or ""), content.get("answers")
    if not isinstance(content, list) or not all(isinstance(item, Mapping) for item in content):
        raise DataError(
            f"{path}: not a list of answers; write "
            '[{"pair": "P0001", "better": "A", "step": 1}, ...]'
        )
    names = (*ANSWER_COLUMNS, *OPTIONAL_COLUMNS)
    cells = [
        (f"answer {number}", {name: _cell(item.get(name)) for name in names})
        for number, item in enumerate(content, start=1)
    ]
    return cells, rater


def _csv_cells(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    table = read_csv(path)
    header = [name.casefold() for name in table.header]
    if missing := [name for name in ANSWER_COLUMNS if name not in header]:
        raise DataError(f"{path}: column {missing[0]!r} is missing; got {table.header}")
    for line, cells in table.rows:
        try:
            check_width(cells, header)
        except ValueError as error:
            raise DataError(f"{path}, line {line}: {error}") from error
        yield f"line {line}", {n: c.strip() for n, c in zip(header, cells, strict=True)}


def _cell(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _rating(key: Key, known: Mapping[str, Sheet], cells: Mapping[str, str]) -> Rating | None:
    """Return the rating that an answer means; None where the sheet was not answered."""
    name = cells.get("pair", "").upper()
    if name not in known:
        raise ValueError(f"pair is {name!r}; these sheets are {', '.join(list(known)[:3])}, ...")
    sheet = known[name]
    skip = cells.get("skip", "")
    if not cells.get("better") and not skip:
        return None
    rating = None if skip else _value(sheet, cells["better"], cells.get("step", ""))
    rater = cells["rater"]
    copied = {field.name: getattr(sheet, field.name) for field in fields(sheet)}
    del copied["name"], copied["after"]
    return Rating(
        **copied,
        id=hashlib.sha256(f"{key.created}\0{key.pairs}\0{rater}\0{name}".encode()).hexdigest()[:32],
        rater=rater,
        rating=rating,
        skip=skip,
        time=cells["time"],
        seconds=tables.number(cells["seconds"]) if cells.get("seconds") else None,
        view=f"mode=sheet after={'left' if sheet.after == 'A' else 'right'}",
    )


def _value(sheet: Sheet, better: str, step_text: str) -> int:
    choice = better.casefold()
    if choice not in ("a", "b", "same"):
        raise ValueError(f"better is {better!r}; it is A, B or same")
    if not step_text and choice == "same":
        step_text = "0"
    try:
        step = float(step_text.replace(",", "."))
    except ValueError:
        step = -1.0
    if step not in range(MAX_STEP + 1):
        raise ValueError(f"step is {step_text!r}; it is 0, 1 or {MAX_STEP}")
    if choice == "same" and step:
        raise ValueError(f"better is 'same' but step is {step_text}; name the better one, or 0")
    if not step:
        return 0
    return int(step) if choice == sheet.after.casefold() else -1
