"""Ratings as Label Studio tasks (https://labelstud.io/guide/export), and back.

A task is one showing of a pair. An annotation is one answer: a choice named "rating" with the
words of our scale, or a choice named "skip" with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from annotation.manifest import Pair
from pipelines.ratings.table import NUMBERS, RATINGS, Rating, check_unique, name_pair, whole
from trigger.errors import DataError

DATA = ("pair", "photo", "path", "scene", "enhancer", "sentinel")
FIELDS = (*DATA, "repeat", "rater")
CHOICES = ("rating", "skip")
CANCELLED = "cancelled in Label Studio"


def to_tasks(rows: Iterable[Rating], pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """All pairs as tasks, with the answers as annotations.

    Args:
        rows: answers.
        pairs: the pairs, also those without answers; pictures are named by file within PAIRS.
    """
    tasks: dict[tuple[str, int], dict[str, Any]] = {}
    for pair in pairs:
        for repeat in range(1 + pair.repeat):
            data = {name: getattr(pair, name) for name in DATA} | {
                "repeat": repeat,
                "before": pair.before.display.file,
                "after": pair.after.display.file,
            }
            tasks[pair.pair, repeat] = {"data": data, "annotations": []}
    for row in rows:
        data = {name: getattr(row, name) for name in DATA} | {"repeat": row.repeat}
        task = tasks.setdefault((row.pair, row.repeat), {"data": data, "annotations": []})
        task["annotations"].append(_annotation(row))
    return [{"id": number, **task} for number, task in enumerate(tasks.values(), start=1)]


def read_tasks(
    path: Path,
    columns: Mapping[str, str] | None = None,
    words: Mapping[str, int] | None = None,
) -> list[Rating]:
    """Read a Label Studio export (format JSON).

    Args:
        path: the file.
        columns: their name by ours: of a data field (``FIELDS``; the rater is who annotated,
            unless a field is named) or of a choice (``CHOICES``).
        words: our rating by their choice, in lower case.

    Raises:
        DataError: it is not such an export, or an annotation is not a rating; the message names
            the task.
    """
    try:
        tasks = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable JSON ({error})") from error
    if not isinstance(tasks, list):
        raise DataError(f"{path}: not a Label Studio export; its format JSON is a list of tasks")
    if other := set(columns or {}) - {*FIELDS, *CHOICES}:
        raise DataError(
            f"{path}: --column cannot name {', '.join(sorted(other))} in a Label Studio export, "
            f"only {', '.join((*FIELDS, *CHOICES))}"
        )
    known = NUMBERS | dict(words or {})
    rows = []
    seen: dict[tuple[object, ...], str] = {}
    for place, task in enumerate(tasks, start=1):
        try:
            data = task["data"]
            for number, annotation in enumerate(task.get("annotations", []), start=1):
                rows.append(_rating(data, annotation, columns or {}, known))
                check_unique(rows[-1], f"task {place}, annotation {number}", seen)
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise DataError(
                f"{path}, task {place}: {error if isinstance(error, ValueError) else repr(error)}"
            ) from error
    if not rows:
        raise DataError(f"{path}: holds no annotations")
    return rows


def _annotation(row: Rating) -> dict[str, Any]:
    name, choice = ("skip", row.skip) if row.rating is None else ("rating", RATINGS[row.rating])
    return {
        "completed_by": {"email": row.rater},
        "created_at": row.time,
        "lead_time": row.seconds,
        "was_cancelled": row.rating is None,
        "result": [
            {
                "id": row.id,
                "from_name": name,
                "to_name": "after",
                "type": "choices",
                "value": {"choices": [choice]},
                "meta": {"view": row.view},
            }
        ],
    }


def _rating(
    data: Mapping[str, Any],
    annotation: Mapping[str, Any],
    columns: Mapping[str, str],
    words: Mapping[str, int],
) -> Rating:
    for field in FIELDS:
        if field in columns and columns[field] not in data:
            raise ValueError(f"the data has no field {columns[field]!r}; got {sorted(data)}")
    text = {name: str(data.get(columns.get(name, name)) or "") for name in DATA}
    rating, skip = (columns.get(name, name) for name in CHOICES)
    text["photo"] = text["photo"].lower()
    results = [result for result in annotation["result"] if result["type"] == "choices"]
    if annotation["result"] and not results:
        kinds = ", ".join(sorted({result["type"] for result in annotation["result"]}))
        raise ValueError(f"the annotation is of type {kinds}; a rating is of type choices")
    named = {result.get("from_name"): result for result in reversed(results)}
    result = named.get(rating) or named.get(skip) or {}
    if not result and len(named) == 1:
        (result,) = named.values()
    if not result and named:
        raise ValueError(
            f"there are choices {', '.join(sorted(map(repr, named)))}; name the one that rates: "
            "--column rating=NAME"
        )
    choice = str(result["value"]["choices"][0]) if result else ""
    says_why = result.get("from_name") == skip  # a rating of a cancelled annotation is a draft
    is_skip = annotation.get("was_cancelled") or says_why or not result
    if not is_skip and choice.casefold() not in words:
        raise ValueError(
            f"the choice is {choice!r}; allowed are {', '.join(map(repr, words))}; name others "
            f"with --word"
        )
    rater = annotation.get("completed_by", "")
    if "rater" in columns:
        rater = data[columns["rater"]]
    if isinstance(rater, dict):
        rater = rater.get("email") or rater.get("username") or rater.get("id", "")
    lead_time = annotation.get("lead_time")
    return Rating(
        pair=text.pop("pair") or name_pair(text["photo"] or text["path"], text["enhancer"]),
        **text,
        id=str(result.get("id") or annotation.get("unique_id") or ""),
        rater=str(rater),
        rating=None if is_skip else words[choice.casefold()],
        skip=(choice if says_why else CANCELLED) if is_skip else "",
        time=str(annotation.get("created_at") or ""),
        seconds=None if lead_time is None else float(lead_time),
        view=str(result.get("meta", {}).get("view", "")),
        repeat=whole(str(data.get(columns.get("repeat", "repeat")) or 0)),
    )
