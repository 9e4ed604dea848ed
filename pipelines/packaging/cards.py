"""Model cards of the trigger and NIMA, written from the reports of their trainings."""

from __future__ import annotations

from pipelines.evaluation.records import Comparison, Interval
from pipelines.packaging.reports import TriggerQuality
from pipelines.scorers.nima import NimaScorer
from pipelines.training.batches import CROP_SIDE
from pipelines.training.scorer.report import ScorerReport

BUILT_BY = NimaScorer.built_by
DATA = """\
| set | used for | licence |
|---|---|---|
| BSDS500 train + val, 300 photographs | degraded and restored versions | research |
| CQ100, Urban100/SunHays, wallpapers: 98 sharp photographs | degraded and restored versions | \
CC BY-SA, Flickr CC, mixed |
| LIVE In the Wild Image Quality Challenge, 942 phone photos with human scores (Ghadiyaram & \
Bovik 2015) | scorer (as they are and degraded), labels as found and degraded, fine-tuning | \
UT Austin, free use with notice and citation |
| TID2013 human scores (Ponomarenko et al. 2015), distortions made again on 16 Kodak photographs \
| scorer, fine-tuning | Kodak: unrestricted |
| ordinary photos: cameras of many makes, phone photos of clothing and groceries, web photos \
(390) | labels as found and degraded | CC0, MIT, research |
| MobileNetV2 alpha 1.0 (scorer) and 0.35 (trigger) ImageNet weights | starting point | Apache-2.0 |

None of the photographs is part of this package.
"""

RATED = {
    "TID2013": "tid2013",
    "LIVE Challenge": "live_challenge",
    "all, with neutral by definition": None,
}
"""Titles of the photos of each rater of the derived ratings; photos that are neutral by definition
all have the same rating, and no row of their own."""


def nima_card(report: ScorerReport) -> str:
    """Write the card of the scorer from the report of its training."""
    repairs = [
        f"| {kind} | {entry.n} | {entry.mean_delta:+.2f} | {entry.mean_true_delta:+.2f} | "
        f"{entry.clear_n} | {_share(entry.clear_sign_agreement)} |"
        for kind, entry in report.restoration_held_out.items()
    ]
    counts = report.examples
    orderings = [
        f"| {title} | {kind} | {entry.clear_n} | {_share(entry.clear_sign_agreement)} |"
        for title, pairs in (
            ("mild above strong", report.strength_held_out),
            ("good above clumsy", report.processing_held_out),
        )
        for kind, entry in pairs.items()
    ]
    return f"""\
# NIMA scorer

Predicts the distribution of human opinions (1..10) on a photo. MobileNetV2 alpha 1.0 at 448x448,
mean and deviation of the features at four depths, Dense(10), softmax; squared earth mover's
distance, r = 2 (Talebi & Milanfar 2018), plus the error in the difference between versions of one
photo. A score is the mean over the photo and its mirror image. float16 TFLite, checked by sha256 on
load (`nima.json`).

Trained by `{BUILT_BY}` (one step, `trigger train-scorer`) on random squares
of {CROP_SIDE} pixels of {counts.train} examples; {counts.held_out} examples
of a fifth of the scenes were held out and never trained on.

## Agreement with people

| photos | side | n | Spearman | Pearson |
|---|---|---|---|---|
{people_rows(report)}

Three of TID2013's 16 scenes are held out, which says little. Some settings of the training were
chosen by results on the held-out scenes, so these figures flatter a little.

## Restoration, held-out scenes

Delta is the score after an enhancer, `classical` or `restorer`, minus the score before. "True" is
the full-reference judge, fitted on TID2013 and knowing the original; clear means that it sees at
least half a point.

| degradation | n | mean delta | mean true delta | clear | sign agrees where clear |
|---|---|---|---|---|---|
{chr(10).join(repairs)}

Versions of one photo against each other, where the judge sees a clear step (0.3 points): two
strengths of one degradation ("tid": any two distortions of TID2013 made on another photo);
untouched, restored and over-processed versions.

| order | degradation | clear | ranked rightly |
|---|---|---|---|
{chr(10).join(orderings)}

## Data

{DATA}
## Not for

Beauty, content, faces, or comparing photographers. Scores of graded versions rest on a judge fitted
to the training scenes of TID2013; drawings, screenshots and photos seen at other sizes than a
screen's are outside what it saw.
"""


def people_rows(report: ScorerReport) -> str:
    """Rows of a Markdown table: correlation with people by data set and side."""
    titles = {"live_challenge": "LIVE Challenge", "tid2013": "TID2013 re-made"}
    return "\n".join(
        f"| {titles[source]} | {side.replace('_', ' ')} | {figures.n} | {figures.spearman:.3f} | "
        f"{figures.pearson:.3f} |"
        for (source, side), figures in report.by_people().items()
    )


def trigger_card(quality: TriggerQuality) -> str:
    """Write the card of the trigger from the reports of training and fine-tuning."""
    baseline, finetuned = quality.baseline, quality.finetuned
    kinds = [
        f"| {kind} | {entry.n} | {entry.mean_delta:+.2f} | {entry.mean_score:+.2f} |"
        for kind, entry in baseline.held_out.by_kind.items()
    ]
    correlations = [
        f"| {side} | {figures.n} | {figures.scenes} | {figures.pearson:.3f} | "
        f"{figures.spearman:.3f} |"
        for side, figures in (("train", baseline.train), ("held out", baseline.held_out))
    ]
    made_with = ", ".join(
        f"{part} `{baseline.labels[part]}` {baseline.labels[f'{part}_version']}"
        for part in ("enhancer", "scorer")
    )
    areas = []
    for photos, rater in RATED.items():
        figures = finetuned.by_rater[rater] if rater else finetuned
        areas += _area_rows(photos, "held out", figures.held_out)
        areas += _area_rows(photos, "five-fold cross-validation", figures.cross_validated)
    alerts = finetuned.at_threshold_held_out
    return f"""\
# Trigger model

Predicts the quality-improvability score of a photo: how much an enhancer would raise its perceptual
quality, on the scale of ratings (2 significant, 1 moderate, 0 neutral, -1 regressed). Unbounded;
about 0 where there is nothing to mend. From 0.4 on a gallery would alert its user.

MobileNetV2 alpha 0.35 at 448x448 cut at `block_16_project_BN`, global average pooling, Dense(1):
261,841 parameters, 113 of them fine-tuned. float16 TFLite, checked by sha256 on load
(`trigger.json`). Rebuilt by `{BUILT_BY}`, which goes on from the trunk of the
model packaged before, and keeps the mean of its weights and the trained ones; that model descends
from ImageNet weights by way of earlier scorers. All of them held out the same scenes.

All figures not marked otherwise are of held-out scenes: a fifth of all scenes that neither the
scorer, nor the baseline, nor the fine-tuning saw. Some settings of the training (the mean of
weights, what is learned beside delta, what is rated neutral, the size of the squares) were chosen
by results on these scenes, so the figures flatter a little.

## Baseline: predicted against measured delta

| side | n | scenes | Pearson | Spearman |
|---|---|---|---|---|
{chr(10).join(correlations)}

Mean measured delta ({made_with}) and mean prediction
by degradation; "as found" are ordinary photos, "none" flawless ones; "thumbnail", "text" and
"plain", where listed, are pictures that look faulty at 448 pixels and cannot be mended:

| degradation | n | mean delta | mean baseline score |
|---|---|---|---|
{chr(10).join(kinds)}

## Fine-tuned: photos that people rated

The head was fitted to ratings that `trigger derive-ratings` makes from human scores: what raters of
a perfect enhancer would answer. TID2013: the human gain of the original over the distorted photo;
LIVE Challenge: phone photos that people call poor or worse (2), fair (1), good or better (0);
flawless photographs, drawn pages of text and plain areas are neutral by definition. Improvable
means "moderate improvement or better". Prevalence is what random scores reach. Held out: scenes
that no training saw. Cross-validation: every scene scored by a head that was fitted without it; it
flatters, since the trunk descends from scorers that learned the human scores of four fifths of
them. Intervals are 95 % bootstrap intervals that resample scenes.

| photos | split | n | scenes | prevalence | model | AUC-PR | gain |
|---|---|---|---|---|---|---|---|
{chr(10).join(areas)}

At the threshold of {alerts.threshold} the fine-tuned model alerts on
{_share(alerts.alert_rate)} of all held-out rated photos with precision
{_share(alerts.precision)} and recall {_share(alerts.recall)}. Before/after pairs rated by
users would say more.

## Data

{DATA}
## Not for

Deciding alone: the user accepts or declines. It judges technical quality (noise, blur, compression,
clipped light), not beauty or content, and speaks of the enhancer it was trained with; another
enhancer needs labels of its own. Thumbnails look blurred to it, so it alerts on most. Fine noise
of photos far larger than 448 pixels is hardly visible at its input, unless it is shown tiles too
(`views="tiles"`), at a threshold of their own. Not measured yet: night, macro and document photos,
real screenshots, HDR.
"""


def _area_rows(photos: str, split: str, figures: Comparison | None) -> list[str]:
    if figures is None:
        return []
    rows = []
    for model, entry in figures.scores.items():
        gain = ""
        if isinstance(entry.gain, float):
            gain = f"{entry.gain:+.3f} ({_interval(entry.gain_interval or None)})"
        rows.append(
            f"| {photos} | {split} | {figures.n} | {figures.scenes} | {figures.prevalence:.3f} | "
            f"{model} | {entry.auc_pr:.3f} ({_interval(entry.interval)}) | {gain} |"
        )
    return rows


def _share(value: float | None) -> str:
    return "undefined" if value is None else f"{100 * value:.0f} %"


def _interval(bounds: Interval | None) -> str:
    return "undefined" if bounds is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}"
