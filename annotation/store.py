"""Store of ratings: one SQLite file to which rows are added and never changed.

An answer (rating or skip) and the undoing of an answer are both rows. The current answer is the
one that was not undone. Ids come from the rater's browser, so sending a row twice is
harmless; a uniqueness constraint ensures that a showing of a pair has one current answer.
"""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from annotation.manifest import Pair
from pipelines.ratings.table import Rating, check_time
from trigger.errors import DataError

SKIPS = ("cannot tell", "did not load", "should not be here", "other")
"""Why a pair may be skipped."""
MAX_SECONDS = 24 * 3600.0
ID = re.compile(r"[A-Za-z0-9_-]{16,64}")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    rater TEXT NOT NULL,
    pair TEXT NOT NULL,
    repeat INTEGER NOT NULL,
    turn INTEGER NOT NULL,       -- how many earlier answers to this showing were undone
    kind TEXT NOT NULL CHECK (kind IN ('answer', 'undo')),
    rating INTEGER CHECK (rating BETWEEN -1 AND 2),
    skip TEXT,
    seconds REAL,
    view TEXT NOT NULL,
    time TEXT NOT NULL,          -- by the clock of the rater
    received TEXT NOT NULL,      -- by the clock of the server
    UNIQUE (rater, pair, repeat, turn, kind),
    CHECK (kind = 'undo' OR (rating IS NULL) <> (skip IS NULL))
);
CREATE TRIGGER IF NOT EXISTS events_stay BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'rows are never changed'); END;
CREATE TRIGGER IF NOT EXISTS events_remain BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'rows are never deleted'); END;
CREATE VIEW IF NOT EXISTS standing AS
    SELECT * FROM events AS answer WHERE kind = 'answer' AND NOT EXISTS (
        SELECT 1 FROM events AS undo WHERE undo.kind = 'undo' AND undo.rater = answer.rater
        AND undo.pair = answer.pair AND undo.repeat = answer.repeat AND undo.turn = answer.turn
    );
"""


@dataclass(frozen=True)
class Event:
    """What a rater did: answered a showing of a pair, or undid the current answer.

    Raises:
        ValueError: a field is out of its range; the message names it.
    """

    id: str
    kind: Literal["answer", "undo"]
    pair: str
    repeat: int
    time: str
    rating: int | None = None
    skip: str = ""
    seconds: float | None = None
    view: str = ""
    undoes: str = ""

    def __post_init__(self) -> None:
        if not ID.fullmatch(self.id):
            raise ValueError(f"id is {self.id!r}; it has 16 to 64 letters, digits, _ and -")
        if not self.time:
            raise ValueError("time is missing")
        if self.kind == "undo":
            check_time(self.time)
            if (self.rating, self.skip, self.seconds, self.view) != (None, "", None, ""):
                raise ValueError("an undo has no rating, skip, seconds or view")
            if not ID.fullmatch(self.undoes):
                raise ValueError("undoes is missing; it is the id of the answer to undo")
        elif self.kind == "answer":
            if self.seconds is not None and self.seconds > MAX_SECONDS:
                raise ValueError(f"seconds is {self.seconds!r}; it is 0 to {MAX_SECONDS:.0f}")
            self.as_rating("", {})
        else:
            raise ValueError(f"kind is {self.kind!r}; it is answer or undo")

    @classmethod
    def from_json(cls, content: Any) -> Event:
        """Make an event of what a browser sent; types are checked here, values by ``Event``."""
        if not isinstance(content, dict):
            raise ValueError("an event is an object")
        kinds: dict[str, type | tuple[type, ...]] = {
            **dict.fromkeys(("id", "kind", "pair", "time", "skip", "view", "undoes"), str),
            "repeat": int,
            "rating": (int, type(None)),
            "seconds": (int, float, type(None)),
        }
        for name, value in content.items():
            if name not in kinds:
                raise ValueError(f"{name!r} is not known")
            if not isinstance(value, kinds[name]) or isinstance(value, bool):
                raise ValueError(f"{name} is {value!r}")
            if isinstance(value, str):
                value.encode()  # ValueError for half a character, which JSON can hold
        try:
            return cls(**content)
        except TypeError as error:
            raise ValueError(f"an event needs id, kind, pair, repeat and time ({error})") from None

    def as_rating(self, rater: str, pairs: Mapping[str, Pair]) -> Rating:
        """Return the row of the ratings CSV."""
        pair = pairs.get(self.pair)
        return Rating(
            id=self.id,
            pair=self.pair,
            photo=pair.photo if pair else "",
            path=pair.path if pair else "",
            scene=pair.scene if pair else "",
            enhancer=pair.enhancer if pair else "",
            rater=rater,
            rating=self.rating,
            skip=self.skip,
            time=self.time,
            seconds=self.seconds,
            view=self.view,
            sentinel=pair.sentinel if pair else "",
            repeat=self.repeat,
        )


@dataclass(frozen=True)
class Outcome:
    """What became of an event.

    Attributes:
        id: of the event.
        status: "saved" now, "known" from before (both mean that it is safe), or "refused".
        reason: why it was refused.
    """

    id: str
    status: Literal["saved", "known", "refused"]
    reason: str = ""


class Store:
    """The ratings of a pairs folder. Safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        """Open the file; create it if it does not exist.

        Raises:
            DataError: it cannot be opened or is not one of these files.
        """
        self._lock = threading.Lock()
        try:
            # Holds the key that signs raters' cookies: for its owner alone.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._database = sqlite3.connect(
                path, timeout=30, isolation_level=None, check_same_thread=False
            )
            self._database.execute("PRAGMA journal_mode = WAL")
            # A commit has reached the disk when it returns, even if the power fails next.
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.executescript(_SCHEMA)
            self._database.execute(
                "INSERT OR IGNORE INTO settings VALUES ('secret', ?)", (secrets.token_hex(32),)
            )
        except (OSError, sqlite3.Error) as error:
            raise DataError(
                f"{path}: cannot be used for ratings ({error}); it needs a local disk with room, "
                f"and an SQLite file there must be one that trigger annotate made"
            ) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    @property
    def secret(self) -> bytes:
        """A random key that stays the same for this file."""
        rows = self._query("SELECT value FROM settings WHERE name = 'secret'")
        return str(rows[0][0]).encode()

    def record(self, rater: str, events: Sequence[Event]) -> list[Outcome]:
        """Add rows, all in one transaction; they are on disk when this returns.

        Raises:
            DataError: nothing was saved; the disk may be full.
        """
        return self.record_all([(rater, event) for event in events])

    def record_all(self, events: Sequence[tuple[str, Event]]) -> list[Outcome]:
        """Add rows of several raters, as ``record`` does."""
        with self._transaction():
            return [self._add(rater, event) for rater, event in events]

    def current_answers(self, rater: str | None = None) -> list[tuple[str, Event]]:
        """Return rater and answer of all current answers, in the order they arrived."""
        rows = self._query(
            "SELECT rater, id, pair, repeat, time, rating, skip, seconds, view FROM standing"
            + (" WHERE rater = ?" if rater is not None else "")
            + " ORDER BY number",
            () if rater is None else (rater,),
        )
        return [
            (name, Event(id_, "answer", pair, repeat, time, rating, skip or "", seconds, view))
            for name, id_, pair, repeat, time, rating, skip, seconds, view in rows
        ]

    def raters(self) -> list[str]:
        """Return the names of everyone who ever answered."""
        return [row[0] for row in self._query("SELECT DISTINCT rater FROM events ORDER BY rater")]

    def _add(self, rater: str, event: Event) -> Outcome:
        old = self._database.execute(
            "SELECT rater, pair, repeat, kind, rating, skip FROM events WHERE id = ?", (event.id,)
        ).fetchone()
        if old is not None:
            same = (rater, event.pair, event.repeat, event.kind, event.rating, event.skip or None)
            if tuple(old) != same:
                return Outcome(event.id, "refused", "another answer has this id")
            return Outcome(event.id, "known")
        turns = "SELECT count(*) FROM events WHERE kind = 'undo' AND rater = ? AND pair = ? "
        showing = (rater, event.pair, event.repeat)
        turn = self._database.execute(turns + "AND repeat = ?", showing).fetchone()[0]
        if event.kind == "undo":
            undone = self._database.execute(
                "SELECT 1 FROM standing WHERE id = ? AND rater = ? AND pair = ? AND repeat = ?",
                (event.undoes, *showing),
            ).fetchone()
            if undone is None:
                return Outcome(event.id, "refused", "that is not the current answer")
        try:
            self._database.execute(
                "INSERT INTO events (id, rater, pair, repeat, turn, kind, rating, skip, seconds, "
                "view, time, received) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(event.id, *showing, turn, event.kind, event.rating, event.skip or None),
                    *(event.seconds, event.view, event.time, datetime.now(UTC).isoformat()),
                ),
            )
        except sqlite3.IntegrityError:
            return Outcome(event.id, "refused", "this pair has an answer already")
        return Outcome(event.id, "saved")

    def _query(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._database.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise DataError(
                f"ratings cannot be read ({error}); restore the file from a backup, or "
                "recover what it holds with: sqlite3 FILE .recover"
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
                raise DataError(f"ratings cannot be saved ({error}); is the disk full?") from error
            finally:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")


def ratings_of(store: Store, pairs: Sequence[Pair]) -> list[Rating]:
    """Return all current answers as rows of the ratings CSV."""
    known = {pair.pair: pair for pair in pairs}
    return [event.as_rating(rater, known) for rater, event in store.current_answers()]
