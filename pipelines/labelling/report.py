"""``trigger label report``: one HTML page to look at a labels folder with."""

from __future__ import annotations

import argparse
import html
import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from annotation.pictures import largest_window
from pipelines.data.enhanced_copies import ENHANCED_EXTENSIONS
from pipelines.data.labels import (
    Recipe,
    enhanced_file,
    open_labels,
    read_rejects,
    read_table,
    recipes_in,
)
from pipelines.data.pixels import Pixels
from pipelines.data.storage import Folder, read_photo_file
from pipelines.labelling.summary import describe_deltas, draw_deltas, draw_scores
from trigger.assessment import DEFAULT_THRESHOLD
from trigger.errors import DataError, PhotoError
from trigger.pages.self_contained import image, jpeg, numbers, page, table
from trigger.photo import read_photo
from trigger.photo.content import check_same_photo

PAGE_FILE = "report.html"
TITLE = "Labels: what enhancement gained"
PAIRS = 9
"""How many of the best and of the worst are shown for each recipe."""
DETAIL = (270, 360)
"""Height and width of the shown detail, in pixels of the photo."""
SHOWN_REJECTS = 3


def label_report(folder: str | os.PathLike[str]) -> str:
    """The page of a labels folder, with everything it shows inside.

    Args:
        folder: what ``trigger label --out`` wrote.

    Raises:
        DataError: it is not a labels folder, it holds no labels, or a file is damaged.
    """
    out, run = open_labels(folder)
    rows = read_table(out)
    if not rows.num_rows:
        raise DataError(f"{folder} holds no labels; see {folder}/rejects for the reasons")
    recipes = recipes_in(rows)
    labels = rows.to_pandas()
    sections = [
        _recipe_section(out, recipe, labels[_made_with(labels, recipe)]) for recipe in recipes
    ]
    body = f"""<header>
<h1>{TITLE}</h1>
<p class="quiet">Delta is the score of the enhanced photo minus the score of the photo, as the
scorer sees both (1 to 10). Folder: {html.escape(out.location)}</p>
{_counts(run)}
</header>
<main>
{"".join(sections)}
{_rejects(out)}
{_provenance(run, recipes)}
</main>
"""
    return page(TITLE, body, styles=["page.css"], script="before_after.js")


def _made_with(labels: pd.DataFrame, recipe: Recipe) -> npt.NDArray[np.bool_]:
    matches = [labels[name] == value for name, value in vars(recipe).items()]
    return np.logical_and.reduce(matches)


def _recipe_section(out: Folder, recipe: Recipe, labels: pd.DataFrame) -> str:
    deltas = labels["delta"].to_numpy()
    about = describe_deltas(deltas, DEFAULT_THRESHOLD)
    figures = {
        "labels": about["count"],
        "mean delta": f"{about['mean']:+.3f}",
        "median delta": f"{about['median']:+.3f}",
        f"at or above {DEFAULT_THRESHOLD}": f"{about['share_above']:.0%}",
    }
    scores = draw_scores(labels["input_score"].to_numpy(), labels["enhanced_score"].to_numpy())
    ranked = labels.sort_values(["delta", "photo"], ascending=False)
    best, worst = ranked.head(PAIRS), ranked.iloc[PAIRS:].tail(PAIRS).iloc[::-1]
    return f"""<section>
<h2>{html.escape(str(recipe))}</h2>
{numbers(figures)}
<div class="plots">
{image(draw_deltas({recipe: deltas}, DEFAULT_THRESHOLD), "png", "histogram of deltas")}
{image(scores, "png", "score of the enhanced photo against score of the photo")}
</div>
<h3>Largest deltas</h3>
<p class="quiet">Details at one pixel of the photo a pixel, where enhancement changed most. Drag
across a picture, or use the arrow keys: the photo is on the left, the enhanced one on the
right.</p>
{_pairs(out, recipe, best)}
{"<h3>Smallest deltas</h3>" + _pairs(out, recipe, worst) if len(worst) else ""}
</section>
"""


def _pairs(out: Folder, recipe: Recipe, labels: pd.DataFrame) -> str:
    cards = [_card(out, recipe, row) for row in labels.to_dict("records")]
    return '<ol class="pairs">\n' + "\n".join(cards) + "\n</ol>"


def _card(out: Folder, recipe: Recipe, row: Mapping[Any, Any]) -> str:
    name = html.escape(row["path"])
    delta = round(row["delta"], 3)
    sign = "up" if delta > 0 else "down" if delta < 0 else "same"
    try:
        before, after = _detail(*_pair(out, recipe, row))
        picture = (
            f'<div class="frame"><span>{image(jpeg(before), "jpeg", f"photo: {name}")}'
            f"{image(jpeg(after), 'jpeg', 'the same detail, enhanced', 'after')}"
            f'<b>before</b><b>after</b><input type="range" min="0" max="100" value="50" '
            f'aria-label="before or after: {name}"><i class="edge"></i></span></div>'
        )
    except PhotoError as error:
        picture = f'<div class="none">{html.escape(error.message)}</div>'
    return (
        f'<li>{picture}<div class="text"><span class="delta {sign}">{delta:+.3f}</span> '
        f"({row['input_score']:.2f} to {row['enhanced_score']:.2f})"
        f'<div class="name">{name}, {row["width"]} &times; {row["height"]}</div></div></li>'
    )


def _pair(out: Folder, recipe: Recipe, row: Mapping[Any, Any]) -> tuple[Pixels, Pixels]:
    """The photo and its enhanced copy.

    Raises:
        PhotoError: one of them is gone or no longer what it was.
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
            raise PhotoError("corrupt", row["path"], "The enhanced photo has another size by now.")
        return before, after
    raise PhotoError("missing", row["path"], "The enhanced photo was not stored.")


def _detail(before: Pixels, after: Pixels) -> tuple[Pixels, Pixels]:
    """The part of both (H, W, 3) where they differ most, at most ``DETAIL`` large."""
    height, width = (min(side, most) for side, most in zip(before.shape, DETAIL, strict=False))
    change = cv2.absdiff(before, after).sum(axis=2, dtype=np.float32)
    top, left = largest_window(change, height, width)
    window = np.s_[top : top + height, left : left + width]
    return before[window], after[window]


def _counts(run: dict[str, Any]) -> str:
    if "counts" not in run:
        return "<p>The last run was stopped before its end: run the same command again.</p>"
    return numbers(
        {
            "photos of the last run": run["counts"]["photos"],
            "labelled": run["counts"]["labelled"],
            "labelled before": run["counts"]["already"],
            "duplicates": run["counts"]["duplicates"],
            "rejected": run["counts"]["rejected"],
        }
    )


def _rejects(out: Folder) -> str:
    rejects = read_rejects(out)
    if rejects.empty:
        return "<section><h2>Rejects</h2><p>None in the last run.</p></section>"
    rows = []
    for reason, group in rejects.groupby("reason"):
        examples = [
            f"{row['path']}{' (' + row['enhancer'] + ')' if row['enhancer'] else ''}: "
            f"{row['message']}"
            for _, row in group.head(SHOWN_REJECTS).iterrows()
        ]
        if len(group) > SHOWN_REJECTS:
            examples.append(f"and {len(group) - SHOWN_REJECTS} more")
        rows.append((reason, len(group), "\n".join(examples)))
    return f"<section><h2>Rejects</h2>{table(rows)}</section>"


def _provenance(run: dict[str, Any], recipes: Iterable[Recipe]) -> str:
    facts = {
        "labels of": "\n".join(map(str, recipes)),
        "input of the last run": "\n".join(run["photos"]),
        "started": run["started"],
        "state": run["state"],
        "options": json.dumps(run["options"]),
        "versions": json.dumps(run["versions"]),
    }
    if "seconds" in run:
        facts["seconds"] = f"{run['seconds']:.1f}"
    return f"<section><h2>Provenance</h2>{table(facts.items())}</section>"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options of ``trigger label report``."""
    parser.description = (
        f"Write LABELS/{PAGE_FILE}: deltas, scores before and after, best and worst pairs, "
        "rejects, provenance. The page holds all it shows and loads nothing."
    )
    parser.add_argument("labels", metavar="LABELS", help="labels folder or URL")


def run(args: argparse.Namespace) -> int:
    """Run ``trigger label report``."""
    out, _ = open_labels(args.labels)
    out.write(PAGE_FILE, label_report(args.labels).encode("utf-8", "backslashreplace"))
    sys.stdout.write(f"{out.at(PAGE_FILE)}\n")
    return 0
