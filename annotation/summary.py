"""Summarize ratings: counts, agreement, raters, disputed pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from annotation.collect import collect_ratings
from pipelines.ratings.aggregation import RatedPair, aggregate, disputed
from pipelines.ratings.agreement import alpha_interval, count_values, krippendorff_alpha
from pipelines.ratings.reliability import CATEGORIES, Rater, judge_raters
from pipelines.ratings.table import IMPROVABLE, RATINGS, Rating, is_opinion
from trigger.console.terminal import counted, printable

SHOWN_DISPUTES = 20


@dataclass(frozen=True)
class Summary:
    """Ratings as a whole.

    Attributes:
        rows: all answers.
        pairs: one rating per pair.
        raters: what each rater did.
    """

    rows: Sequence[Rating]
    pairs: Sequence[RatedPair]
    raters: Sequence[Rater]

    def text(self) -> str:
        """Describe counts, agreement, raters and disputed pairs in lines of text."""
        return summary_text(self.rows, self.pairs, self.raters)

    def plot(self) -> bytes:
        """Draw four panels as a PNG: ratings per rater, mean ratings, raters, spread."""
        from annotation.plots import draw_summary  # slow to import

        return draw_summary(self.rows, self.pairs, self.raters)


def summarize_ratings(sources: Sequence[Path]) -> Summary:
    """Summarize the answers of ratings CSVs and pairs folders.

    Raises:
        DataError: a source cannot be read, or two contradict each other.

    Example:
        >>> print(summarize_ratings([Path("pairs")]).text())  # doctest: +SKIP
    """
    return summarize(collect_ratings(sources))


def summarize(rows: Sequence[Rating]) -> Summary:
    """Summarize answers."""
    raters = judge_raters(rows)
    return Summary(rows, aggregate(rows, raters), raters)


def summary_text(
    rows: Sequence[Rating], pairs: Sequence[RatedPair], raters: Sequence[Rater]
) -> str:
    """Describe counts, agreement, raters and disputed pairs in lines of text."""
    opinions = [row for row in rows if is_opinion(row)]
    answered = [row for row in rows if row.rating is not None]
    lines = [
        f"{counted(len(opinions), 'rating')} of {counted(len(pairs), 'pair')} by "
        f"{counted(len(raters), 'rater')}; "
        f"skipped: {sum(row.rating is None for row in rows)}; also answered: "
        f"{counted(sum(bool(row.sentinel) for row in answered), 'sentinel')}, "
        f"{counted(sum(bool(row.repeat) for row in answered), 'repeat')}",
        "",
        *_distribution(opinions),
        "",
        *_agreement(opinions, pairs),
        "",
        *_raters(raters),
    ]
    if disputes := disputed(pairs):
        lines += ["", f"to review (two steps apart or more): {counted(len(disputes), 'pair')}"]
        lines += [
            printable(
                f"  {pair.pair}  mean {pair.rating:+.2f}, {pair.spread} steps, "
                f"{pair.raters or '?'}{f'  {pair.path}' if pair.path else ''}"
            )
            for pair in disputes[:SHOWN_DISPUTES]
        ]
        if len(disputes) > SHOWN_DISPUTES:
            lines.append(f"  ... and {len(disputes) - SHOWN_DISPUTES} more; see column 'spread'")
    return "\n".join(lines) + "\n"


def _distribution(opinions: Sequence[Rating]) -> list[str]:
    counts = Counter(row.rating for row in opinions)
    return [
        f"{value:3d} {word:<24}{counts[value]:6d}  {counts[value] / max(len(opinions), 1):4.0%}  "
        f"{'#' * round(40 * counts[value] / max(len(opinions), 1))}"
        for value, word in RATINGS.items()
    ]


def _agreement(opinions: Sequence[Rating], pairs: Sequence[RatedPair]) -> list[str]:
    improvable = sum(pair.rating >= IMPROVABLE for pair in pairs)
    several = sum(pair.opinions > 1 for pair in pairs)
    rated = [(row.pair, row.rating) for row in opinions if row.rating is not None]
    counts = count_values([pair for pair, _ in rated], [rating for _, rating in rated], CATEGORIES)
    alpha = krippendorff_alpha(counts)
    lines = [
        f"mean rating {IMPROVABLE} or better: {improvable} of {len(pairs)} pairs",
        f"pairs with two opinions or more: {several}",
    ]
    if np.isfinite(alpha):
        low, high = alpha_interval(counts)
        lines.append(f"Krippendorff's alpha (ordinal): {alpha:.3f} [{low:.3f}, {high:.3f}]")
    else:
        lines.append(
            "Krippendorff's alpha: undefined until raters differ on pairs that several rated"
        )
    return lines


def _raters(raters: Sequence[Rater]) -> list[str]:
    lines = [
        f"{'rater':<20} {'ratings':>7} {'skips':>5} {'seconds':>7} {'sentinels':>9} "
        f"{'repeats':>7} {'weight':>6} {'shared':>6} {'kappa':>6} {'bias':>6}"
    ]
    for rater in raters:
        seconds = "-" if rater.seconds is None else f"{rater.seconds:.1f}"
        kappa = f"{rater.kappa:.2f}" if np.isfinite(rater.kappa) else "-"
        doubts = f"  <- {', '.join(rater.doubts)}" if rater.doubts else ""
        lines.append(
            f"{printable(rater.rater):<20.20} {rater.ratings:>7} {rater.skips:>5} {seconds:>7} "
            f"{f'{rater.passed}/{rater.sentinels}':>9} {f'{rater.alike}/{rater.repeats}':>7} "
            f"{rater.weight:>6.2f} {rater.shared:>6} {kappa:>6} {rater.bias:>+6.2f}{doubts}"
        )
    return lines
