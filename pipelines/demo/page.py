"""The demo's page: photos to judge by eye, their scores, and how everything was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.degradation.model import Kind
from pipelines.evaluation.metrics import agreement
from pipelines.ratings.table import IMPROVABLE, RATINGS
from trigger.pages import Picture, render

KIND_NAMES: dict[Kind, str] = {
    "none": "as it is",
    "noise": "noise",
    "blur": "blur",
    "jpeg": "JPEG compression",
    "saturation": "overexposure",
    "mixed": "mixture of these",
}
SHOWN_AT_FIRST = 12


@dataclass(frozen=True)
class Plot:
    """A plot that a command wrote: its path from the page, what it is, what it means."""

    path: str
    alt: str
    caption: str
    wide: bool = False  # needs scrolling where the window is narrow


@dataclass(frozen=True)
class Chapter:
    """A step that was done: what and why, the commands as typed, seconds of wall time."""

    title: str
    about: str
    commands: tuple[str, ...]
    seconds: float
    plot: Plot | None


@dataclass(frozen=True)
class Card:
    """A photo to look at. Paths are relative to the page and quoted as URLs.

    Attributes:
        scene: name of the original photograph.
        kind: of degradation.
        fault: how the photo was degraded, in plain words.
        before: detail of the photo, at full resolution.
        after: the same detail of the enhanced photo.
        whole: small picture of the photo with the detail marked.
        photo: the whole photo.
        enhanced: the whole enhanced photo.
        delta: measured, in points of the scorer.
        rating: derived, 2, 1, 0 or -1.
        packaged: score by the packaged model.
        own: score by the model that this demo trained.
        held_out: the demo's model was not trained on the scene.
    """

    scene: str
    kind: Kind
    fault: str
    before: Picture
    after: Picture
    whole: Picture
    photo: str
    enhanced: str
    delta: float
    rating: int
    packaged: float
    own: float
    held_out: bool

    @property
    def improvable(self) -> bool:
        """The derived rating is a moderate improvement or better."""
        return self.rating >= IMPROVABLE


@dataclass(frozen=True)
class _Row:
    """Photos with one kind of fault: mean delta and score, number of alerts and improvable ones."""

    name: str
    delta: float
    score: float
    alerts: int
    improvable: int


@dataclass(frozen=True)
class _Summary:
    """All photos in figures.

    Attributes:
        rows: by kind of fault; the last is of all.
        alerts: how many photos raise one.
        right: how many of these are improvable.
        improvable: how many photos are.
        missed: how many of these raise no alert.
        noise_pairs: scenes that were photographed with and without noise.
        noisier: in how many of these the noisy version scores higher, as it should.
        correlation: Spearman's, of score and delta; None where undefined.
    """

    rows: list[_Row]
    alerts: int
    right: int
    improvable: int
    missed: int
    noise_pairs: int
    noisier: int
    correlation: float | None


def page(cards: Sequence[Card], threshold: float, chapters: Sequence[Chapter]) -> str:
    """Return the page as HTML. It loads only the pictures next to it."""
    ranked = sorted(cards, key=lambda card: (-card.packaged, card.scene, card.fault))
    return render(
        "demo.html.j2",
        photos=len(cards),
        scenes=sorted({card.scene for card in cards}),
        alerts=[card for card in ranked if card.packaged >= threshold],
        rest=[card for card in ranked if card.packaged < threshold],
        shown_at_first=SHOWN_AT_FIRST,
        threshold=threshold,
        scale=_Scale(ranked, threshold),
        summary=_summary(cards, threshold),
        improvable=IMPROVABLE,
        rating_words=RATINGS,
        chapters=chapters,
        duration=_minutes(sum(chapter.seconds for chapter in chapters)),
    )


class _Scale:
    """Position of a value on the scale drawn in every card, in percent of its width."""

    def __init__(self, cards: Sequence[Card], threshold: float) -> None:
        values = [value for card in cards for value in (card.packaged, card.own)]
        self._low, self._high = min([0.0, *values]), max([1.0, threshold, *values])

    def __call__(self, value: float) -> float:
        return 3 + 94 * (value - self._low) / (self._high - self._low)


def _summary(cards: Sequence[Card], threshold: float) -> _Summary:
    groups = {
        name: [card for card in cards if card.kind == kind] for kind, name in KIND_NAMES.items()
    }
    groups["all"] = list(cards)
    alerts = [card for card in cards if card.packaged >= threshold]
    right = sum(card.improvable for card in alerts)
    improvable = sum(card.improvable for card in cards)
    clean, noisy = (
        {card.scene: card.packaged for card in cards if card.kind == kind}
        for kind in ("none", "noise")
    )
    pairs = [(clean[scene], noisy[scene]) for scene in clean.keys() & noisy.keys()]
    return _Summary(
        rows=[_row(name, group, threshold) for name, group in groups.items() if group],
        alerts=len(alerts),
        right=right,
        improvable=improvable,
        missed=improvable - right,
        noise_pairs=len(pairs),
        noisier=sum(noise > none for none, noise in pairs),
        correlation=agreement(*np.array([(c.packaged, c.delta) for c in cards]).T).spearman,
    )


def _row(name: str, cards: Sequence[Card], threshold: float) -> _Row:
    return _Row(
        name,
        delta=float(np.mean([card.delta for card in cards])),
        score=float(np.mean([card.packaged for card in cards])),
        alerts=sum(card.packaged >= threshold for card in cards),
        improvable=sum(card.improvable for card in cards),
    )


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
