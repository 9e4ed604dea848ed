"""Ratings as Label Studio tasks, and back (https://labelstud.io/guide/export).

A task is one showing of a pair. An annotation is one answer: a choice named "rating" with the
words of our scale, or a choice named "skip" with the reason. Read are the formats JSON and
JSON-MIN.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    """Return all pairs as tasks, with the answers as annotations.

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
    """Read a Label Studio export, format JSON or JSON-MIN.

    Args:
        path: the file.
        columns: their name by ours: of a data field (``FIELDS``; the rater is who annotated,
            unless a field is named) or of a choice (``CHOICES``).
        words: our rating by their choice, in lower case.

    Raises:
        DataError: it is no such export, or an annotation is not a rating; the message names the
            task.
    """
    names = dict(columns or {})
    if other := set(names) - {*FIELDS, *CHOICES}:
        raise DataError(
            f"{path}: --column cannot name {', '.join(sorted(other))} in a Label Studio export, "
            f"only {', '.join((*FIELDS, *CHOICES))}"
        )
    known = NUMBERS | dict(words or {})
    rows: list[Rating] = []
    seen: dict[tuple[object, ...], str] = {}
    for number, task in enumerate(_read_json(path), start=1):
        try:
            for place, answer in enumerate(_answers(task, names), start=1):
                rows.append(_rating(answer, names, known))
                # Annotations that took over one prediction share its id; they are checked below.
                unnamed = replace(rows[-1], id="")
                check_unique(unnamed, f"task {number}, annotation {place}", seen)
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise DataError(
                f"{path}, task {number}: {error if isinstance(error, ValueError) else repr(error)}"
            ) from error
    if not rows:
        raise DataError(f"{path}: holds no annotations")
    times = Counter(row.id for row in rows)
    return [replace(row, id="") if times[row.id] > 1 else row for row in rows]


@dataclass(frozen=True)
class _Answer:
    """One annotation, whatever the format.

    Attributes:
        data: the fields of the task.
        choices: what was chosen, by the name of the control; None: nothing.
        id: of the region or annotation, or "".
        rater: who annotated, or "".
        cancelled: whether the annotation was cancelled; its choices are then a draft.
        time: when it was made, or "".
        seconds: time spent.
        view: how the pair was shown, or "".
    """

    data: Mapping[str, Any]
    choices: Mapping[str, Sequence[str]]
    ids: Mapping[str, str] = field(default_factory=dict)
    views: Mapping[str, str] = field(default_factory=dict)
    id: str = ""
    rater: str = ""
    cancelled: bool = False
    time: str = ""
    seconds: float | None = None


def _read_json(path: Path) -> list[Any]:
    try:
        tasks = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not readable JSON ({error})") from error
    if not isinstance(tasks, list):
        raise DataError(f"{path}: not a Label Studio export, which is a list of tasks")
    return tasks


def _answers(task: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[_Answer]:
    if "data" not in task:
        yield from _minimal(task, names)
        return
    data = task["data"]
    for annotation in task.get("annotations") or []:
        yield _from_annotation(data, annotation)


def _minimal(task: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[_Answer]:
    """Read a task of JSON-MIN, which is one annotation, its choices next to the data fields."""
    given = {name: task.get(names.get(name, name)) for name in CHOICES}
    if "annotator" not in task and not any(given.values()):
        raise ValueError("there is neither 'data' (format JSON) nor an annotation (JSON-MIN)")
    yield _Answer(
        data=task,
        choices={names.get(name, name): _texts(value) for name, value in given.items() if value},
        id=_text(task.get("annotation_id")),
        rater=_person(task.get("annotator")),
        time=_text(task.get("created_at")),
        seconds=_seconds(task.get("lead_time")),
    )


def _from_annotation(data: Mapping[str, Any], annotation: Mapping[str, Any]) -> _Answer:
    """Read an annotation of format JSON."""
    given = annotation.get("result") or []
    results = [result for result in given if result["type"] == "choices"]
    if given and not results:
        kinds = ", ".join(sorted({result["type"] for result in given}))
        raise ValueError(f"the annotation is of type {kinds}; a rating is of type choices")
    named = {str(result.get("from_name")): result for result in reversed(results)}
    choices: dict[str, list[str]] = {name: [] for name in named}
    for result in results:
        chosen = choices[str(result.get("from_name"))]
        chosen += [text for text in _texts(result["value"]["choices"]) if text not in chosen]
    return _Answer(
        data=data,
        choices=choices,
        ids={name: _text(result.get("id")) for name, result in named.items()},
        views={
            name: _text((result.get("meta") or {}).get("view")) for name, result in named.items()
        },
        id=_text(annotation.get("unique_id")),
        rater=_person(annotation.get("completed_by")),
        cancelled=bool(annotation.get("was_cancelled")),
        time=_text(annotation.get("created_at")),
        seconds=_seconds(annotation.get("lead_time")),
    )


def _rating(answer: _Answer, names: Mapping[str, str], words: Mapping[str, int]) -> Rating:
    data = answer.data
    for name in FIELDS:
        if name in names and names[name] not in data:
            raise ValueError(f"the data has no field {names[name]!r}; got {sorted(data)}")
    text = {name: _text(data.get(names.get(name, name))) for name in DATA}
    text["photo"] = text["photo"].lower()
    control = _control(answer, names)
    chosen = _only(answer.choices.get(control, ()), control)
    reason = control == names.get("skip", "skip")
    skipped = answer.cancelled or reason or not chosen
    if not skipped and chosen.casefold() not in words:
        raise ValueError(
            f"the choice is {chosen!r}; allowed are {', '.join(map(repr, words))}; name others "
            f"with --word"
        )
    return Rating(
        pair=text.pop("pair") or name_pair(text["photo"] or text["path"], text["enhancer"]),
        **text,
        id=answer.ids.get(control) or answer.id,
        rater=_person(data[names["rater"]]) if "rater" in names else answer.rater,
        rating=None if skipped else words[chosen.casefold()],
        skip=((chosen if reason else "") or CANCELLED) if skipped else "",
        time=answer.time,
        seconds=answer.seconds,
        view=answer.views.get(control, ""),
        repeat=whole(_text(data.get(names.get("repeat", "repeat"))) or "0"),
    )


def _control(answer: _Answer, names: Mapping[str, str]) -> str:
    """Return the name of the control that rates, or says why there is no rating."""
    rating, skip = (names.get(name, name) for name in CHOICES)
    for name in (rating, skip):
        if name in answer.choices:
            return name
    if len(answer.choices) > 1:
        raise ValueError(
            f"there are choices {', '.join(sorted(map(repr, answer.choices)))}; name the one that "
            "rates: --column rating=NAME"
        )
    return next(iter(answer.choices), rating)


def _only(choices: Sequence[str], control: str) -> str:
    if len(choices) > 1:
        raise ValueError(
            f"{control!r} has the choices {', '.join(map(repr, choices))}; an answer has one; let "
            'raters choose one (choice="single"), and correct this answer'
        )
    return choices[0] if choices else ""


def _texts(value: Any) -> list[str]:
    """Return choices as a list; JSON-MIN writes a single one as text, several as an object."""
    if isinstance(value, Mapping):
        value = value.get("choices", [])
    return [value] if isinstance(value, str) else [str(choice) for choice in value]


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _seconds(value: Any) -> float | None:
    return None if value is None else float(value)


def _person(value: Any) -> str:
    """Return the name of a person: an address, user name or number; "" for nobody."""
    if isinstance(value, Mapping):
        value = value.get("email") or value.get("username") or value.get("id")
    return _text(value)


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
