"""The demo's page: what the score is, photos to judge with one's own eyes, and how it was made."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np

from annotation.ratings import IMPROVABLE, RATINGS
from pipelines.metrics import agreement


@dataclass(frozen=True)
class Plot:
    """A picture that a command wrote: its path from the page, what it is, what it tells."""

    path: str
    alt: str
    caption: str


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
    """A held-out photo. Paths lead from the page and are quoted as URLs need it.

    Attributes:
        scene: name of the original photograph.
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
    """

    scene: str
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


def page(cards: Sequence[Card], threshold: float, chapters: Sequence[Chapter]) -> str:
    """The page as HTML. It loads only the pictures beside it and runs only its own script."""
    assets = resources.files("pipelines") / "assets"
    style = (assets / "demo_page.css").read_text("utf-8")
    script = (assets / "demo_page.js").read_text("utf-8")
    # Firefox does not count the files beside a page opened from disk as 'self'.
    policy = (
        f"default-src 'none'; img-src 'self' file:; style-src '{_source_hash(style)}'; "
        f"script-src '{_source_hash(script)}'; base-uri 'none'; form-action 'none'"
    )
    ranked = sorted(cards, key=lambda card: (-card.packaged, card.scene, card.fault))
    scale = _Scale(ranked, threshold)
    alerts = [card for card in ranked if card.packaged >= threshold]
    rest = ranked[len(alerts) :]
    scenes = sorted({card.scene for card in cards})
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>trigger demo: which photos would gain from enhancement?</title>
<style>{style}</style>
</head>
<body>
<header>
<p class="brand">trigger demo</p>
<h1>Which photos would look better after enhancement?</h1>
<p class="lead">Enhancing a photo costs time and battery, and most photos gain nothing.
<em>trigger</em> looks first: a network of half a megabyte tells from the photo alone how much
enhancement would help, and speaks up only where it is worth it.</p>
<dl class="terms">
<div><dt>Delta</dt><dd>What enhancement <em>did</em> gain: the scorer's opinion of the enhanced
photo minus its opinion of the photo, in points on a scale of 1 to 10. Measuring it means doing
all the work.</dd></div>
<div><dt>Score</dt><dd>What enhancement <em>would</em> gain: the small network's prediction, made in
milliseconds without enhancing anything. About 0 where there is nothing to mend; it can be
negative.</dd></div>
<div><dt>Threshold</dt><dd>From a score of {threshold:g} on, a photo raises an alert: &ldquo;this
one is worth enhancing&rdquo;. Below, it is left alone.</dd></div>
<div><dt>Derived rating</dt><dd>{_ratings()}. People give such ratings; here they are computed from
the known originals, and <em>not human</em>.</dd></div>
</dl>
</header>
<main>
<section>
<h2>Photos that were never trained on</h2>
<p>{len(cards)} versions of {len(scenes)} photographs ({_listed(scenes)}), highest score first.
Drag across a picture, or focus it and use the arrow keys: left of the line is the photo, right of
it the enhanced photo. The pictures show a detail at its true size, one pixel for one pixel.</p>
<p>Spoilt does not mean improvable. What overexposure or strong compression took away, this
enhancer cannot bring back, and a photo without faults has nothing to gain: those are to be left
alone. In the lists below, the packaged model decides.</p>
{_summary(cards, threshold)}
<ul class="legend" aria-label="Marks on the scales below">
<li>{_mark("packaged")} score, packaged model</li><li>{_mark("own")} score, this demo's model</li>
<li>{_mark("delta")} measured delta</li><li>{_mark("threshold")} threshold</li>
<li>{_mark("zero")} zero</li></ul>
{_group("Would alert", alerts, threshold, scale)}
{_group("Leave alone", rest, threshold, scale)}
</section>
<section>
<h2>How this was made</h2>
<p>These commands made everything above in {_minutes(sum(c.seconds for c in chapters))}. Each can be
run by hand, on photos of your own.</p>
<ol class="chapters">
{"".join(map(_chapter, chapters))}</ol>
</section>
<section class="notes">
<h2>What this shows, and what it does not</h2>
<ul>
<li>It shows the whole chain at work, from photographs to a file that a phone can run, and lets you
judge its answers by eye.</li>
<li>It does not measure how good the model is. {len(cards)} photos of {len(scenes)} scenes are far
too few: on other scenes the figures could be quite different. The packaged model's card has figures
from many.</li>
<li>The ratings are <strong>derived, not human</strong>: computed from the known originals by
structural similarity. They reward coming closer to the original, pixel by pixel, which is not the
same as looking better.</li>
<li>The faults are simulated. Real photos have gentler ones, in other mixtures.</li>
<li>The demo's own model saw few photos, briefly. It is here to be watched while it learns, not to
be used; use the packaged one, or train on many photos.</li>
<li>Delta is the opinion of a scorer and of one enhancer: another enhancer would gain more or
less.</li>
</ul>
</section>
</main>
<script>{script}</script>
</body>
</html>
"""


class _Scale:
    """Where a value lies on the line drawn in every card, in percent of its width."""

    def __init__(self, cards: Sequence[Card], threshold: float) -> None:
        values = [value for card in cards for value in (card.delta, card.packaged, card.own)]
        self._low, self._high = min([0.0, *values]), max([1.0, threshold, *values])

    def __call__(self, value: float) -> float:
        return 3 + 94 * (value - self._low) / (self._high - self._low)


def _summary(cards: Sequence[Card], threshold: float) -> str:
    improvable = np.array([card.rating >= IMPROVABLE for card in cards])
    delta = np.array([card.delta for card in cards])
    columns = []
    for scores in ([card.packaged for card in cards], [card.own for card in cards]):
        alerts = np.array(scores) >= threshold
        rank_agreement = agreement(np.array(scores), delta)["spearman"]
        columns.append(
            [
                int(alerts.sum()),
                int((alerts & improvable).sum()),
                int((improvable & ~alerts).sum()),
                "undefined" if rank_agreement is None else _number(rank_agreement),
            ]
        )
    rows = "\n".join(
        f'<tr><th scope="row">{name}</th><td>{packaged}</td><td>{own}</td></tr>'
        for name, packaged, own in zip(
            ("Alerts", "of them improvable", "Improvable, no alert", "Rank agreement with delta"),
            *columns,
            strict=True,
        )
    )
    return f"""<table>
<thead><tr><td></td><th scope="col">Packaged model</th><th scope="col">This demo's model</th></tr>
</thead>
<tbody>
{rows}
</tbody>
</table>
<p class="small">{improvable.sum()} of {len(cards)} photos count as improvable: their derived rating
is {IMPROVABLE} or 2. Rank agreement is Spearman's: 1 is the same order, 0 none.</p>"""


def _group(title: str, cards: Sequence[Card], threshold: float, scale: _Scale) -> str:
    body = "".join(_card(card, threshold, scale) for card in cards)
    none = "" if cards else "<p>None.</p>"
    return (
        f'<h3>{title} <span class="count">{len(cards)}</span></h3>{none}'
        f'<ul class="cards">\n{body}</ul>'
    )


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
<div><dt>this demo's</dt><dd>{_number(card.own)}</dd></div>
<div><dt>Measured delta</dt><dd>{_number(card.delta, "+")}</dd></div>
<div><dt>Derived rating</dt><dd>{_number(card.rating)}</dd></div>
</dl>
</div>
<p class="small">Whole photo: <a href="{html.escape(card.photo)}">before</a>,
<a href="{html.escape(card.enhanced)}">enhanced</a>{
        '. <span class="differs">The derived rating says otherwise.</span>' if differs else ""
    }</p>
</div>
</li>
"""


def _line(card: Card, threshold: float, scale: _Scale) -> str:
    at = {name: f"{scale(getattr(card, name)):.1f}%" for name in ("packaged", "own", "delta")}
    return (
        '<svg class="line" aria-hidden="true"><line class="axis" x1="0" x2="100%" y1="12" y2="12"/>'
        f'<line class="zero" x1="{scale(0):.1f}%" x2="{scale(0):.1f}%" y1="5" y2="19"/>'
        f'<line class="threshold" x1="{scale(threshold):.1f}%" x2="{scale(threshold):.1f}%" '
        f'y1="2" y2="22"/><circle class="own" cx="{at["own"]}" cy="12" r="4"/>'
        f'<circle class="packaged" cx="{at["packaged"]}" cy="12" r="6"/>'
        f'<circle class="delta" cx="{at["delta"]}" cy="12" r="7"/></svg>'
    )


def _mark(name: str) -> str:
    radius = {"packaged": 6, "own": 4, "delta": 7}.get(name)
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
        plot = (
            f'<figure><a href="{html.escape(chapter.plot.path)}">'
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
    digits = "" if isinstance(value, int) else ".2f"
    return f"{value:{sign}{digits}}".replace("-", "−")


def _ratings() -> str:
    return ", ".join(f"{_number(rating)} {word}" for rating, word in RATINGS.items())


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _listed(names: Sequence[str]) -> str:
    return html.escape(", ".join(names))


def _source_hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
