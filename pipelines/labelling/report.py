"""A report of a labels folder as one self-contained HTML page."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.data.enhanced_copies import ENHANCED_EXTENSIONS
from pipelines.data.label_files import read_table, recipes_in
from pipelines.data.label_run import LabelRun, read_run
from pipelines.data.label_schema import Recipe
from pipelines.data.labels import enhanced_file, open_labels
from pipelines.data.pixels import Pixels, largest_window
from pipelines.data.rejects import read_rejects
from pipelines.data.storage import Folder, read_photo_file
from pipelines.labelling.summary import describe_deltas, draw_deltas, draw_scores
from trigger.assessment import DEFAULT_THRESHOLD
from trigger.errors import DataError, PhotoError
from trigger.pages import Picture, embed, render
from trigger.photo import read_photo
from trigger.photo.content import check_same_photo
from trigger.photo.encode import jpeg_bytes

PAGE_FILE = "report.html"
PAIRS = 9
"""How many of the largest and of the smallest deltas are shown for each recipe."""
DETAIL = (270, 360)
"""Height and width of the shown detail, in pixels of the photo."""
SHOWN_REJECTS = 3


@dataclass(frozen=True)
class _Pair:
    """A photo and its enhanced copy on the page, or the problem that keeps them from it."""

    path: str
    width: int
    height: int
    input_score: float
    enhanced_score: float
    delta: float
    sign: Literal["up", "down", "same"]
    before: Picture | None = None
    after: Picture | None = None
    problem: str = ""


@dataclass(frozen=True)
class _Section:
    """What the page shows of the labels of one recipe."""

    recipe: Recipe
    figures: Mapping[str, object]
    deltas: Picture
    scores: Picture
    best: Sequence[_Pair]
    worst: Sequence[_Pair]


def label_report(folder: str | os.PathLike[str] | Folder) -> str:
    """Return the page of a labels folder, as HTML with everything it shows inside.

    Args:
        folder: what ``trigger label --out`` wrote.

    Raises:
        DataError: it is not a labels folder, it holds no labels, or a file is damaged.

    Example:
        >>> Path("report.html").write_text(label_report("labels"))  # doctest: +SKIP
    """
    out = open_labels(folder)
    run = read_run(out)
    rows = read_table(out)
    if not rows.num_rows:
        raise DataError(f"{folder} holds no labels; see {folder}/rejects for the reasons")
    recipes = recipes_in(rows)
    labels = rows.to_pandas()
    return render(
        "label_report.html.j2",
        folder=out.location,
        counts=_counts(run),
        sections=[_section(out, recipe, labels[_made_with(labels, recipe)]) for recipe in recipes],
        rejects=_rejects(out),
        provenance=_provenance(run, recipes),
    )


def _made_with(labels: pd.DataFrame, recipe: Recipe) -> npt.NDArray[np.bool_]:
    matches = [labels[name] == value for name, value in vars(recipe).items()]
    return np.logical_and.reduce(matches)


def _section(out: Folder, recipe: Recipe, labels: pd.DataFrame) -> _Section:
    deltas = labels["delta"].to_numpy()
    about = describe_deltas(deltas, DEFAULT_THRESHOLD)
    figures = {
        "labels": about.count,
        "mean delta": f"{about.mean:+.3f}",
        "median delta": f"{about.median:+.3f}",
        f"at or above {DEFAULT_THRESHOLD}": f"{about.share_above:.0%}",
    }
    scores = draw_scores(labels["input_score"].to_numpy(), labels["enhanced_score"].to_numpy())
    ranked = labels.sort_values(["delta", "photo"], ascending=False)
    best, worst = ranked.head(PAIRS), ranked.iloc[PAIRS:].tail(PAIRS).iloc[::-1]
    return _Section(
        recipe,
        figures,
        embed(draw_deltas({recipe: deltas}, DEFAULT_THRESHOLD)),
        embed(scores),
        [_pair(out, recipe, row) for row in best.to_dict("records")],
        [_pair(out, recipe, row) for row in worst.to_dict("records")],
    )


def _pair(out: Folder, recipe: Recipe, row: Mapping[Any, Any]) -> _Pair:
    delta = round(row["delta"], 3)
    pair = _Pair(
        path=row["path"],
        width=row["width"],
        height=row["height"],
        input_score=row["input_score"],
        enhanced_score=row["enhanced_score"],
        delta=delta,
        sign="up" if delta > 0 else "down" if delta < 0 else "same",
    )
    try:
        before, after = _detail(*_read_pair(out, recipe, row))
    except PhotoError as error:
        return replace(pair, problem=error.message)
    return replace(pair, before=embed(jpeg_bytes(before)), after=embed(jpeg_bytes(after)))


def _read_pair(out: Folder, recipe: Recipe, row: Mapping[Any, Any]) -> tuple[Pixels, Pixels]:
    """The photo and its enhanced copy.

    Raises:
        PhotoError: one of them is missing or has changed.
    """
    data = read_photo_file(row["path"])
    check_same_photo(data, row["photo"], row["path"])
    for extension in ENHANCED_EXTENSIONS.values():
        try:
            enhanced = read_photo_file(out.at(enhanced_file(recipe, row["photo"], extension)))
        except PhotoError:
            continue
        before, after = read_photo(data, name=row["path"]).pixels, read_photo(enhanced).pixels
        if before.shape != after.shape:
            raise PhotoError("corrupt", row["path"], "The size of the enhanced photo has changed.")
        return before, after
    raise PhotoError("missing", row["path"], "The enhanced photo was not stored.")


def _detail(before: Pixels, after: Pixels) -> tuple[Pixels, Pixels]:
    """The part of both (H, W, 3) where they differ most, at most ``DETAIL`` large."""
    height, width = (min(side, most) for side, most in zip(before.shape, DETAIL, strict=False))
    change = cv2.absdiff(before, after).sum(axis=2, dtype=np.float32)
    top, left = largest_window(change, height, width)
    window = np.s_[top : top + height, left : left + width]
    return before[window], after[window]


def _counts(run: LabelRun) -> dict[str, int]:
    """Photos of the last run, by what became of them; nothing if it did not finish."""
    if run.counts is None:
        return {}
    return {
        "photos of the last run": run.counts.photos,
        "labelled": run.counts.labelled,
        "labelled before": run.counts.already,
        "duplicates": run.counts.duplicates,
        "rejected": run.counts.rejected,
    }


def _rejects(out: Folder) -> list[tuple[str, int, str]]:
    """Reasons with their number of photos and some examples."""
    rejects = read_rejects(out)
    rows = []
    for reason, group in rejects.groupby("reason"):
        examples = [
            f"{row['path']}{' (' + row['enhancer'] + ')' if row['enhancer'] else ''}: "
            f"{row['message']}"
            for _, row in group.head(SHOWN_REJECTS).iterrows()
        ]
        if len(group) > SHOWN_REJECTS:
            examples.append(f"and {len(group) - SHOWN_REJECTS} more")
        rows.append((str(reason), len(group), "\n".join(examples)))
    return rows


def _provenance(run: LabelRun, recipes: Iterable[Recipe]) -> dict[str, str]:
    facts = {
        "labels of": "\n".join(map(str, recipes)),
        "input of the last run": "\n".join(run.photos),
        "started": run.started,
        "state": run.state,
        "options": json.dumps(asdict(run.options)),
        "versions": json.dumps(run.versions),
    }
    if run.seconds is not None:
        facts["seconds"] = f"{run.seconds:.1f}"
    return facts


def write_report(folder: str | os.PathLike[str]) -> str:
    """Write LABELS/report.html and return its location; raises as :func:`label_report`."""
    out = open_labels(folder)
    out.write(PAGE_FILE, label_report(out).encode("utf-8", "backslashreplace"))
    return out.at(PAGE_FILE)
