"""Blind sheets: pairs as pictures for raters without a browser, and their answers.

    SHEETS/
      sheets/P0001.jpg ...        what raters get: photos A and B, in random order
      sheets/answers.csv          to fill in: pair, better (A, B or same), step (0, 1 or 2)
      sheets/instructions.txt     the question
      key.json                    which photo is which; not for raters

Sentinels and repeats are among the sheets; a repeat has its sides swapped. The key is written
last: a folder without one is not finished.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from annotation.manifest import check_pictures, read_manifest
from annotation.order import Showing, showings_of
from annotation.sheet_picture import draw_sheet
from pipelines.data import tables
from pipelines.data.tables import check_width, csv_bytes, read_csv
from pipelines.ratings.table import Rating, check_unique
from trigger.console.progress import progress
from trigger.errors import DataError, OptionError
from trigger.files import make_folder, write_atomically
from trigger.records import SHEETS_KIND, SHEETS_RECORD
from trigger.threads import default_workers, map_in_order

FORMAT = 1
KEY_FILE = SHEETS_RECORD
HANDED_OUT = "sheets"
ANSWER_COLUMNS = ("pair", "better", "step")
OPTIONAL_COLUMNS = ("rater", "skip", "time", "seconds")
MAX_STEP = 2
INSTRUCTIONS = """\
Each picture shows one photo in two versions, A on the left and B on the right: above the whole
photo, below the part where they differ most, at full resolution.

Which version looks better? Answer for each picture, in answers.csv:

  pair    the name on the picture, such as P0001
  better  A, B or same
  step    0  no difference, or one that hardly matters
          1  moderately better
          2  significantly better

Judge what you would rather have in your album. Some pairs are the same photo twice; some come a
second time. Leave 'better' empty where you cannot tell.
"""


@dataclass(frozen=True)
class Sheet:
    """A line of the key: what a sheet shows."""

    name: str
    pair: str
    photo: str
    path: str
    scene: str
    enhancer: str
    sentinel: str
    repeat: int
    after: Literal["A", "B"]


@dataclass(frozen=True)
class Key:
    """Which photo is which on all sheets of a folder."""

    created: str
    pairs: str
    sheets: tuple[Sheet, ...]


def make_sheets(
    pairs: Path,
    out: Path,
    *,
    seed: int = 0,
    workers: int | None = None,
    show_progress: bool = False,
) -> Key:
    """Draw a sheet for every showing of a pairs folder.

    Args:
        pairs: PAIRS.
        out: SHEETS, a new or empty folder.
        seed: another one gives another order and other sides.
        workers: threads (default: one per core, at most 4).
        show_progress: whether to show a progress bar on a terminal.

    Raises:
        DataError: it is no pairs folder, or pictures are missing or changed.
        OptionError: SHEETS is not empty.

    Example:
        >>> make_sheets(Path("pairs"), Path("sheets")).sheets[0].after  # doctest: +SKIP
        'B'
    """
    foreign = sorted(path.name for path in out.glob("[!.]*") if path.name != HANDED_OUT)
    if foreign:
        raise OptionError(
            f"{out} is not empty (it holds {foreign[0]!r}); name a new or empty folder"
        )
    manifest = read_manifest(pairs)
    check_pictures(pairs, manifest)
    showings = _showings(showings_of(manifest.pairs, f"sheets {seed}", fixed_sides=False))
    digits = max(4, len(str(len(showings))))
    key = Key(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        pairs=manifest.name,
        sheets=tuple(
            _sheet(f"P{number:0{digits}}", showing) for number, showing in enumerate(showings, 1)
        ),
    )
    make_folder(out / HANDED_OUT)
    work = list(zip(key.sheets, showings, strict=True))
    drawn = map_in_order(partial(_draw, pairs, out), work, workers or default_workers())
    for _ in progress(drawn, "sheets", total=len(work), unit="sheets", shown=show_progress):
        pass
    template = csv_bytes(ANSWER_COLUMNS, ([sheet.name, "", ""] for sheet in key.sheets))
    write_atomically(out / HANDED_OUT / "answers.csv", template)
    write_atomically(out / HANDED_OUT / "instructions.txt", INSTRUCTIONS.encode())
    content = {"kind": SHEETS_KIND, "format": FORMAT, **asdict(key)}
    write_atomically(out / KEY_FILE, (json.dumps(content, indent=1) + "\n").encode())
    return key


def read_key(folder: Path) -> Key:
    """Read which photo is which.

    Raises:
        DataError: it is no finished folder of sheets, or the key is damaged.
    """
    path = folder / KEY_FILE
    try:
        content = json.loads(path.read_bytes())
        if content["kind"] != SHEETS_KIND or content["format"] != FORMAT:
            raise ValueError(f"kind {content['kind']!r}, format {content['format']!r}")
        sheets = tuple(Sheet(**sheet) for sheet in content["sheets"])
        return Key(str(content["created"]), str(content["pairs"]), sheets)
    except OSError as error:
        raise DataError(
            f"{folder} is not a finished folder of sheets (no {KEY_FILE}: {error.strerror}); make "
            "one with: trigger pairs sheets PAIRS --out SHEETS"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: not a key of sheets ({error!r}); restore it from a backup, since without it "
            "nobody knows which photo is which"
        ) from error


def read_answers(sheets: Path, answers: Path, *, rater: str = "") -> list[Rating]:
    """Turn answers to sheets into ratings.

    An answer "A is better by step 2" is the rating 2 where A is the enhanced photo, and -1 where
    it is the original; step 0 and "same" are 0.

    Args:
        sheets: SHEETS.
        answers: a CSV, or a JSON list of objects, with pair, better (A, B or same; empty: not
            answered) and step (0..2), and if known rater, skip (a reason), time and seconds. A
            JSON object {"rater": NAME, "answers": [...]} is read, too.
        rater: who answered, where the file does not say; default: the name of the file.

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

    Raters who prefer one side whatever it shows are told by a share far from a half.
    """
    counts: dict[str, tuple[int, int]] = {}
    for row in rows:
        if row.rating:
            left, either = counts.get(row.rater, (0, 0))
            prefers_left = (row.rating > 0) == ("after=left" in row.view)
            counts[row.rater] = (left + prefers_left, either + 1)
    return counts


def _showings(showings: Sequence[Showing]) -> list[Showing]:
    """Swap the sides of repeats: they then also show whether a rater prefers one side."""
    first = {showing.pair.pair: showing.after for showing in showings if not showing.repeat}
    return [
        Showing(s.pair, s.repeat, "right" if first[s.pair.pair] == "left" else "left")
        if s.repeat
        else s
        for s in showings
    ]


def _sheet(name: str, showing: Showing) -> Sheet:
    pair = showing.pair
    return Sheet(
        name=name,
        pair=pair.pair,
        photo=pair.photo,
        path=pair.path,
        scene=pair.scene,
        enhancer=pair.enhancer,
        sentinel=pair.sentinel,
        repeat=showing.repeat,
        after="A" if showing.after == "left" else "B",
    )


def _draw(pairs: Path, out: Path, work: tuple[Sheet, Showing]) -> None:
    sheet, showing = work
    data = draw_sheet(sheet.name, pairs, showing)
    write_atomically(out / HANDED_OUT / f"{sheet.name}.jpg", data)


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
