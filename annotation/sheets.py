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

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from annotation.manifest import check_pictures, read_manifest
from annotation.order import Showing, showings_of
from annotation.sheet_picture import draw_sheet
from pipelines.data.tables import csv_bytes
from trigger.console.progress import progress
from trigger.errors import DataError, OptionError
from trigger.files import make_folder, write_atomically
from trigger.markers import SHEETS_KIND, SHEETS_RECORD
from trigger.threads import default_workers, map_in_order

FORMAT = 1
KEY_FILE = SHEETS_RECORD
HANDED_OUT = "sheets"
ANSWER_COLUMNS = ("pair", "better", "step")
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
        return msgspec.convert(content, Key)
    except OSError as error:
        raise DataError(
            f"{folder} is not a finished folder of sheets (no {KEY_FILE}: {error.strerror}); make "
            "one with: trigger pairs sheets PAIRS --out SHEETS"
        ) from error
    except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        raise DataError(
            f"{path}: not a key of sheets ({error!r}); restore it from a backup, since without it "
            "nobody knows which photo is which"
        ) from error


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
