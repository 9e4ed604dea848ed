"""The page that ``trigger finetune`` writes: what people's ratings have changed."""

from __future__ import annotations

import html
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.evaluation.calibration import Bin
from pipelines.evaluation.metrics import at_threshold
from pipelines.evaluation.thresholds import Measure, Target, find_threshold
from pipelines.models.record import enhancer_of
from pipelines.ratings.table import IMPROVABLE
from pipelines.training.finetuning.learning_curve import Point
from pipelines.training.finetuning.plots import (
    draw_learning_curve,
    draw_precision_recall,
    draw_probability,
    draw_ratings,
    draw_thresholds,
)
from pipelines.training.finetuning.report import share, too_few
from trigger.assessment import DEFAULT_THRESHOLD
from trigger.errors import PhotoError
from trigger.pages.self_contained import image, numbers, page, table
from trigger.photo import read_photo

TITLE = "Fine-tuning: what people's ratings changed"
TARGETS: tuple[tuple[Measure, tuple[float, ...]], ...] = (
    ("precision", (0.5, 0.6, 0.7, 0.8, 0.9)),
    ("recall", (0.5, 0.7, 0.9)),
    ("alert_rate", (0.05, 0.1, 0.2)),
)
MISTAKES = 9
PICTURE_SIDE = 360
"""Longest side of a picture, in pixels."""


def finetune_page(rated: pd.DataFrame, report: dict[str, Any]) -> str:
    """The page, with all it shows inside.

    Args:
        rated: as ``make_report`` takes it, with path and enhancer.
        report: what ``make_report`` returned, with ``labels`` and ``enhancers``.
    """
    body = f"""<header>
<h1>{TITLE}</h1>
<p class="quiet">The last 113 parameters of the network were fitted to people's ratings of enhanced
photos: 2 significant improvement, 1 moderate, 0 neutral, &minus;1 regressed. A photo is
<em>improvable</em> where the mean rating is {IMPROVABLE} or better.</p>
{_overview(report)}
{f"<p><strong>{too_few(report)}</strong></p>" if too_few(report) else ""}
</header>
<main>
{_before_after(rated, report)}
{_learning(report)}
{_calibration(report)}
{_thresholds(rated, report)}
{_mistakes(rated)}
{_provenance(report)}
</main>
"""
    return page(TITLE, body, styles=["page.css", "finetune_page.css"])


def _overview(report: dict[str, Any]) -> str:
    held_out = report["held_out"]["scores"]
    return numbers(
        {
            "rated photos": sum(report["photos"].values()),
            "opinions": report["opinions"],
            "AUC-PR, baseline": f"{held_out['baseline']['auc_pr']:.3f}",
            "AUC-PR, fine-tuned": f"{held_out['fine-tuned']['auc_pr']:.3f}",
            "threshold": f"{report['threshold']['value']:.3g}",
        }
    )


def _before_after(rated: pd.DataFrame, report: dict[str, Any]) -> str:
    held_out = rated[rated["held_out"]]
    sides = (
        ("held-out scenes", held_out, "fine-tuned", report["held_out"]),
        ("all scenes, cross-validated", rated, "cross-validated", report["cross_validated"]),
    )
    rows, plots = [], []
    for title, photos, column, figures in sides:
        for name, entry in figures["scores"].items():
            gain = ""
            if "gain" in entry:
                gain = f"{entry['gain']:+.3f}{_between(entry['gain_interval'], '+')}"
            rows.append(
                (
                    *(title, figures["n"], figures["scenes"], f"{figures['prevalence']:.3f}"),
                    *(name, f"{entry['auc_pr']:.3f}{_between(entry['interval'])}", gain),
                )
            )
        scores = {"baseline": photos["baseline"], "fine-tuned": photos[column]}
        curve = draw_precision_recall(
            _improvable(photos), {name: s.to_numpy() for name, s in scores.items()}, figures
        )
        plots.append(_figure(curve, f"precision-recall curves, {title}", title))
    header = ("photos of", "photos", "scenes", "prevalence", "model", "AUC-PR", "gain")
    return f"""<section>
<h2>Before and after</h2>
<p>Area under the precision-recall curve (average precision) for &ldquo;moderate or better&rdquo;,
with 95&nbsp;% bootstrap intervals that resample scenes. Prevalence is what random scores reach.
Held-out scenes were never trained on. In the cross-validation every scene is scored by a head that
was fitted, and its ridge and threshold chosen, without it; the trunk may have seen its photos.</p>
{table(rows, header)}
<div class="plots">{"".join(plots)}</div>
</section>
"""


def _learning(report: dict[str, Any]) -> str:
    points = [Point(**entry) for entry in report["learning_curve"]]
    baseline = report["held_out"]["scores"]["baseline"]["auc_pr"]
    rows = [
        (p.ratings, f"{p.scenes:.0f}", p.draws, f"{p.mean:.3f}", f"{p.spread:.3f}") for p in points
    ]
    curve = draw_learning_curve(points, baseline)
    return f"""<section>
<h2>Would more ratings help?</h2>
<p>Scenes were drawn by chance until there were so many rated photos, and the head was fitted to
them alone. Where the curve still rises at its end, more ratings are worth their while.</p>
<div class="plots">{_figure(curve, "learning curve", "AUC-PR by number of rated photos")}
{table(rows, ("rated photos", "scenes", "draws", "mean AUC-PR", "spread"))}</div>
</section>
"""


def _calibration(report: dict[str, Any]) -> str:
    bins = [Bin(**entry) for entry in report["calibration_cross_validated"]]
    threshold = report["threshold"]["value"]
    ratings = _figure(draw_ratings(bins), "mean rating by score", "Score and mean rating")
    chances = _figure(
        draw_probability(bins, threshold),
        "share of improvable photos by score",
        "How likely is &ldquo;moderate or better&rdquo;?",
    )
    return f"""<section>
<h2>Do scores mean what they say?</h2>
<p>Photos in order of their cross-validated score, in bins of equal numbers. On the line, scores
are what people say on average. Vertical lines are 95&nbsp;% bootstrap intervals that resample
scenes.</p>
<div class="plots">{ratings}{chances}</div>
</section>
"""


def _thresholds(rated: pd.DataFrame, report: dict[str, Any]) -> str:
    improvable, scores = _improvable(rated), rated["cross-validated"].to_numpy()
    chosen = report["threshold"]
    rows = [_alerts_row("default", at_threshold(improvable, scores, DEFAULT_THRESHOLD))]
    for figure, values in TARGETS:
        for value in values:
            target = Target(figure, value)
            threshold = find_threshold(improvable, scores, target)
            if threshold is None:
                rows.append((str(target), "not reached", "", "", ""))
            else:
                rows.append(_alerts_row(str(target), at_threshold(improvable, scores, threshold)))
    header = ("to reach", "threshold", "precision", "recall", "alert rate")
    crossed = {"threshold": None if chosen["target"] else DEFAULT_THRESHOLD}
    measured = [
        _alerts_row("held-out scenes", report["at_threshold_held_out"]),
        _alerts_row("all scenes, cross-validated", crossed | chosen["cross_validated"]),
    ]
    plot = draw_thresholds(improvable, scores, chosen["value"])
    return f"""<section>
<h2>From which score on to alert</h2>
<p>This model's threshold is <strong>{chosen["value"]:.3f}</strong>
({chosen["target"] or "the default"}). A threshold for a target is set without the photos that it is
measured on: by the training scenes for the held-out ones; in the cross-validation, in each fold by
the other four.</p>
{table(measured, ("measured on", *header[1:]))}
<p>Other targets, such as <code>--target-precision 0.8</code>. These thresholds were chosen on the
cross-validated scores that they are measured on here, so expect a little
less.</p>
<div class="plots">{table(rows, header)}
{_figure(plot, "precision, recall and alert rate by threshold", "What each threshold gives")}</div>
</section>
"""


def _alerts_row(title: str, figures: Mapping[str, float | None]) -> tuple[str, ...]:
    threshold = figures["threshold"]
    shares = [share(figures[name]) for name in ("precision", "recall", "alert_rate")]
    return (title, "one per fold" if threshold is None else f"{threshold:.3f}", *shares)


def _mistakes(rated: pd.DataFrame) -> str:
    improvable = _improvable(rated)
    alert = rated["alert"].to_numpy()
    return f"""<section>
<h2>Worst mistakes</h2>
<p>By cross-validated score and the threshold of each fold; of each scene only the worst.</p>
{_photos("Alerts that people do not agree with", rated[alert & ~improvable], ascending=False)}
{_photos("Improvable photos without an alert", rated[~alert & improvable], ascending=True)}
</section>
"""


def _photos(title: str, mistakes: pd.DataFrame, *, ascending: bool) -> str:
    worst = mistakes.sort_values(["cross-validated", "photo"], ascending=[ascending, True])
    shown = worst.drop_duplicates("scene").head(MISTAKES)
    cards = "\n".join(_card(row) for row in shown.to_dict("records"))
    return f"<h3>{title}: {len(mistakes)}</h3>\n" + (
        f'<ol class="pairs">\n{cards}\n</ol>' if cards else "<p>None.</p>"
    )


def _card(row: Mapping[Any, Any]) -> str:
    name = html.escape(row["path"])
    try:
        photo = read_photo(row["path"], at_least=PICTURE_SIDE).image
        photo.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
        content = io.BytesIO()
        photo.save(content, "JPEG", quality=85)
        picture = image(content.getvalue(), "jpeg", f"photo: {name}")
    except PhotoError as error:
        picture = f'<div class="none">{html.escape(error.message)}</div>'
    raters = "1 opinion" if row["opinions"] == 1 else f"{row['opinions']} opinions"
    return (
        f'<li><div class="frame">{picture}</div><div class="text">'
        f'<span class="delta">{row["cross-validated"]:+.3f}</span> predicted, '
        f"people say {row['rating']:+.2f} ({raters})"
        f'<div class="name">{name}</div></div></li>'
    )


def _provenance(report: dict[str, Any]) -> str:
    rated = ", ".join(f"{name or 'unknown'} ({n})" for name, n in report["enhancers"].items())
    facts = {
        "ratings of the enhancer": rated,
        "model learned from labels of": enhancer_of(report["labels"]) or "unknown",
        "strength of the ridge": f"{report['ridge']:g}",
        "parameters fitted": report["trainable_parameters"],
    }
    return f"<section><h2>Provenance</h2>{table(facts.items())}</section>"


def _improvable(rated: pd.DataFrame) -> npt.NDArray[np.bool_]:
    return (rated["rating"] >= IMPROVABLE).to_numpy()


def _figure(png: bytes, about: str, caption: str) -> str:
    return f"<figure>{image(png, 'png', about)}<figcaption>{caption}</figcaption></figure>"


def _between(interval: list[float] | None, sign: str = "") -> str:
    return "" if interval is None else f" ({interval[0]:{sign}.3f} to {interval[1]:{sign}.3f})"
