"""The demo's page: what the score is, photos to judge with one's own eyes, and how it was made."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np

from pipelines.degradation.model import Kind
from pipelines.evaluation.metrics import agreement
from pipelines.ratings.table import IMPROVABLE, RATINGS
from trigger.pages.html_page import html_page

KIND_NAMES: dict[Kind, str] = {
    "none": "as it is",
    "noise": "noise",
    "blur": "blur",
    "jpeg": "JPEG compression",
    "saturation": "overexposure",
    "mixed": "mixture of these",
}
TITLE = "trigger demo: which photos would gain from enhancement?"
SHOWN_AT_FIRST = 12


@dataclass(frozen=True)
class Plot:
    """A picture that a command wrote: its path from the page, what it is, what it tells."""

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
    """A photo to look at. Paths lead from the page and are quoted as URLs need it.

    Attributes:
        scene: name of the original photograph.
        kind: sort of fault.
        fault: what was done to it, in plain words.
        before: detail of the photo, pixel for pixel.
        after: the same detail of the enhanced photo.
        whole: small picture of the photo with the detail marked.
        photo: the whole photo.
        enhanced: the whole enhanced photo.
        delta: measured; the scorer's points.
        rating: derived, 2, 1, 0 or -1.
        packaged: score by the packaged model.
        own: score by the model this demo trained.
        held_out: the demo's model was not trained on the scene.
    """

    scene: str
    kind: Kind
    fault: str
    before: str
    after: str
    whole: str
    photo: str
    enhanced: str
    delta: float
    rating: int
    packaged: float
    own: float
    held_out: bool


def page(cards: Sequence[Card], threshold: float, chapters: Sequence[Chapter]) -> str:
    """The page as HTML. It loads only the pictures beside it and runs only its own script."""
    assets = resources.files("pipelines") / "assets"
    style = (assets / "demo_page.css").read_text("utf-8")
    script = (assets / "before_after.js").read_text("utf-8")
    ranked = sorted(cards, key=lambda card: (-card.packaged, card.scene, card.fault))
    scale = _Scale(ranked, threshold)
    alerts = [card for card in ranked if card.packaged >= threshold]
    rest = ranked[len(alerts) :]
    scenes = sorted({card.scene for card in cards})
    body = f"""<header>
<p class="brand">trigger demo</p>
<h1>Which photos would look better after enhancement?</h1>
<p class="lead">Enhancing a photo costs time and battery, and most photos gain nothing.
<em>trigger</em> looks first: a network of half a megabyte tells from the photo alone how much
enhancement would help, and speaks up only where it is worth it.</p>
<nav aria-label="On this page"><a href="#photos">The photos</a>
<a href="#made">How this was made</a> <a href="#limits">What it does not show</a></nav>
<dl class="terms">
<div><dt>Delta</dt><dd>What enhancement <em>did</em> gain: the scorer's opinion of the enhanced
photo minus its opinion of the photo, in points on a scale of 1 to 10. Measuring it means doing
all the work.</dd></div>
<div><dt>Score</dt><dd>What enhancement <em>would</em> gain, predicted by the small network in
milliseconds, without enhancing anything. On the scale of ratings: about 2 promises a significant
improvement, 0 none, less than 0 harm.</dd></div>
<div><dt>Threshold</dt><dd>From a score of {threshold:g} on, a photo raises an alert: &ldquo;this
one is worth enhancing&rdquo;. Below, it is left alone.</dd></div>
<div><dt>Derived rating</dt><dd>{_ratings()}. People give such ratings; here they are computed from
the known originals, and <em>not human</em>.</dd></div>
</dl>
</header>
<main>
<section id="photos">
<h2>What the packaged model says of these photos</h2>
<p>{len(cards)} photos: {len(scenes)} photographs ({_listed(scenes)}), each as it is and with one
fault of every sort. The model that comes with <em>trigger</em> was made from other photographs.</p>
<p>Spoilt does not mean improvable. What strong compression or long motion took away, this
enhancer cannot bring back, and a photo without faults has nothing to gain: those are to be left
alone.</p>
{_summary(cards, threshold)}
<p>Now judge by eye, highest score first. Drag across a picture, or focus it and use the arrow keys:
left of the line is the photo, right of it the enhanced photo. The pictures show a detail at its
true size, one pixel for one pixel.</p>
<ul class="legend" aria-label="Marks on the scales below">
<li>{_mark("packaged")} score, packaged model</li><li>{_mark("own")} score, this demo's model</li>
<li>{_mark("threshold")} threshold</li><li>{_mark("zero")} zero</li></ul>
{_group("Would alert", alerts, threshold, scale)}
{_group("Leave alone", rest, threshold, scale)}
</section>
<section id="made">
<h2>How this was made</h2>
<p>These commands made everything above in {_minutes(sum(c.seconds for c in chapters))}. Each can be
run by hand, on photos of your own.</p>
<ol class="chapters">
{"".join(map(_chapter, chapters))}</ol>
</section>
<section id="limits" class="notes">
<h2>What this shows, and what it does not</h2>
<ul>
<li>It shows the whole chain at work, from photographs to a file that a phone can run, and lets you
judge its answers by eye.</li>
<li>It does not measure how good the packaged model is. {len(scenes)} scenes are far too few: on
others the figures could be quite different. The model's card has figures from many.</li>
<li>The ratings are <strong>derived, not human</strong>: computed from the known originals by
structural similarity. They reward coming closer to the original, pixel by pixel, which is not the
same as looking better.</li>
<li>The faults are simulated. Real photos have gentler ones, in other mixtures.</li>
<li>The demo's own model shows the steps and is not the packaged one. It saw a handful of photos,
briefly: watch it learn, but do not use it. Of its scores, only those of held-out scenes tell
anything; the others it was trained on.</li>
<li>Delta is the opinion of a scorer and of one enhancer: another enhancer would gain more or
less.</li>
</ul>
</section>
</main>
"""
    # Firefox does not count the files beside a page opened from disk as 'self'.
    return html_page(TITLE, body, style=style, script=script, images="'self' file:")


class _Scale:
    """Where a value lies on the line drawn in every card, in percent of its width."""

    def __init__(self, cards: Sequence[Card], threshold: float) -> None:
        values = [value for card in cards for value in (card.packaged, card.own)]
        self._low, self._high = min([0.0, *values]), max([1.0, threshold, *values])

    def __call__(self, value: float) -> float:
        return 3 + 94 * (value - self._low) / (self._high - self._low)


def _summary(cards: Sequence[Card], threshold: float) -> str:
    groups = {
        name: [card for card in cards if card.kind == kind] for kind, name in KIND_NAMES.items()
    }
    groups["all"] = list(cards)
    rows = "\n".join(_row(name, group, threshold) for name, group in groups.items() if group)
    alerts = [card for card in cards if card.packaged >= threshold]
    right = sum(card.rating >= IMPROVABLE for card in alerts)
    improvable = sum(card.rating >= IMPROVABLE for card in cards)
    return f"""<table>
<thead><tr><th scope="col">Fault</th><th scope="col">Delta</th><th scope="col">Score</th>
<th scope="col">Alerts</th><th scope="col">Improvable</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
<p class="small">Measured delta and predicted score are means; improvable means a derived rating of
{IMPROVABLE} or 2. {right} of {len(alerts)} alerts are on improvable photos,
and {improvable - right} of {improvable} improvable photos get none.
{_noisy(cards)} Rank agreement (Spearman's: 1 is the same order, 0 none) of score with delta:
{_rank_agreement(cards)}.</p>"""


def _row(name: str, cards: Sequence[Card], threshold: float) -> str:
    values = (
        _number(float(np.mean([card.delta for card in cards])), "+"),
        _number(float(np.mean([card.packaged for card in cards]))),
        str(sum(card.packaged >= threshold for card in cards)),
        str(sum(card.rating >= IMPROVABLE for card in cards)),
    )
    return f'<tr><th scope="row">{name}</th>{"".join(f"<td>{value}</td>" for value in values)}</tr>'


def _noisy(cards: Sequence[Card]) -> str:
    """In how many scenes noise raises the score, as it should: denoising helps."""
    clean, noisy = (
        {card.scene: card.packaged for card in cards if card.kind == kind}
        for kind in ("none", "noise")
    )
    pairs = [(clean[scene], noisy[scene]) for scene in clean.keys() & noisy.keys()]
    above = sum(noise > none for none, noise in pairs)
    return f"In {above} of {len(pairs)} scenes the noisy version scores above the untouched one."


def _rank_agreement(cards: Sequence[Card]) -> str:
    figures = agreement(*(np.array([(c.packaged, c.delta) for c in cards]).T))["spearman"]
    return "undefined" if figures is None else _number(figures)


def _group(title: str, cards: Sequence[Card], threshold: float, scale: _Scale) -> str:
    made = [_card(card, threshold, scale) for card in cards]
    body = f'<ul class="cards">\n{"".join(made[:SHOWN_AT_FIRST])}</ul>' if made else "<p>None.</p>"
    if more := made[SHOWN_AT_FIRST:]:
        body += (
            f"\n<details><summary>Show {len(more)} more</summary>\n"
            f'<ul class="cards">\n{"".join(more)}</ul></details>'
        )
    return f'<h3>{title} <span class="count">{len(cards)}</span></h3>\n{body}\n'


def _card(card: Card, threshold: float, scale: _Scale) -> str:
    alert = card.packaged >= threshold
    badge = "would alert" if alert else "leave alone"
    scene, fault = html.escape(card.scene), html.escape(card.fault)
    name = f"{scene}, {fault}"
    differs = alert != (card.rating >= IMPROVABLE)
    return f"""<li class="card{" alert" if alert else ""}">
<div class="frame">
<img src="{html.escape(card.before)}" alt="Detail of {name}: before" loading="lazy">
<img class="after" src="{html.escape(card.after)}" alt="The same detail, enhanced" loading="lazy">
<span class="tag">before</span><span class="tag right">enhanced</span>
<input type="range" min="0" max="100" value="50" aria-label="{name}: how much of the photo to show
 before enhancement, in percent">
</div>
<div class="text">
<div class="title"><h4>{scene}<small>{fault}</small></h4><span class="badge">{badge}</span></div>
{_line(card, threshold, scale)}
<div class="facts">
<a href="{html.escape(card.photo)}" class="whole"><img src="{html.escape(card.whole)}"
 alt="Whole photo, with the detail marked" loading="lazy"></a>
<dl>
<div class="first"><dt>Score</dt><dd>{_number(card.packaged)}</dd></div>
<div><dt>Demo's model</dt><dd>{_number(card.own)}</dd></div>
<div><dt>Measured delta</dt><dd>{_number(card.delta, "+")}</dd></div>
<div><dt>Derived rating</dt><dd>{_number(card.rating)}</dd></div>
</dl>
</div>
<p class="small">Whole photo: <a href="{html.escape(card.photo)}">before</a>,
<a href="{html.escape(card.enhanced)}">enhanced</a>.
{"Held out from" if card.held_out else "Used for"} the demo's training.{
        ' <span class="differs">The derived rating says otherwise.</span>' if differs else ""
    }</p>
</div>
</li>
"""


def _line(card: Card, threshold: float, scale: _Scale) -> str:
    zero, limit, own, packaged = (
        f"{scale(value):.1f}%" for value in (0, threshold, card.own, card.packaged)
    )
    return (
        '<svg class="line" aria-hidden="true"><line class="axis" x1="0" x2="100%" y1="12" y2="12"/>'
        f'<line class="zero" x1="{zero}" x2="{zero}" y1="5" y2="19"/>'
        f'<line class="threshold" x1="{limit}" x2="{limit}" y1="2" y2="22"/>'
        f'<circle class="own" cx="{own}" cy="12" r="4"/>'
        f'<circle class="packaged" cx="{packaged}" cy="12" r="6"/></svg>'
    )


def _mark(name: str) -> str:
    radius = {"packaged": 6, "own": 4}.get(name)
    shape = (
        f'<circle class="{name}" cx="9" cy="9" r="{radius}"/>'
        if radius
        else f'<line class="{name}" x1="9" x2="9" y1="1" y2="17"/>'
    )
    return f'<svg class="mark" aria-hidden="true">{shape}</svg>'


def _chapter(chapter: Chapter) -> str:
    commands = "".join(
        f"<pre><code>{html.escape(command)}</code></pre>\n" for command in chapter.commands
    )
    plot = ""
    if chapter.plot:
        width = ' class="wide"' if chapter.plot.wide else ""
        plot = (
            f'<figure{width}><a href="{html.escape(chapter.plot.path)}">'
            f'<img src="{html.escape(chapter.plot.path)}" alt="{html.escape(chapter.plot.alt)}" '
            f'loading="lazy"></a><figcaption>{html.escape(chapter.plot.caption)}</figcaption>'
            "</figure>\n"
        )
    seconds = f"{chapter.seconds:.1f} s" if chapter.seconds < 10 else f"{chapter.seconds:.0f} s"
    return (
        f'<li><div class="done"><div class="title"><h3>{html.escape(chapter.title)}</h3>'
        f'<span class="seconds">{seconds}</span></div>\n'
        f"<p>{html.escape(chapter.about)}</p>\n{commands}</div>\n{plot}</li>\n"
    )


def _number(value: float, sign: str = "") -> str:
    digits = "" if isinstance(value, int) else "z.2f"  # z: no negative zero
    return f"{value:{sign}{digits}}".replace("-", "−")


def _ratings() -> str:
    return ", ".join(f"{_number(rating)} {word}" for rating, word in RATINGS.items())


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _listed(names: Sequence[str]) -> str:
    return html.escape(", ".join(names))
