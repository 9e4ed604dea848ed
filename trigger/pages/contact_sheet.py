"""A ranking as one self-contained HTML page with thumbnails."""

from __future__ import annotations

import base64
import html
import io
import math
import os
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from trigger.assessment import Assessment
from trigger.errors import PhotoError
from trigger.pages.html_page import html_page
from trigger.photo import read_photo
from trigger.ranking import Ranking
from trigger.threads import map_in_order

THUMBNAIL_SIDE = 320
"""Longest side of a thumbnail, in pixels (10 to 25 kB each)."""
TITLE = "Photos by what enhancement would gain"
MAX_PHOTOS = 1000
"""More make a page that browsers can hardly open; the best candidates are kept."""


def make_thumbnails(photos: Iterable[Assessment], *, workers: int) -> Iterator[bytes | None]:
    """A small JPEG for every photo, in order; None for one that is gone by now."""
    return map_in_order(_thumbnail, (photo.photo for photo in photos), workers)


def contact_sheet(
    ranking: Ranking,
    photos: Iterable[Assessment],
    thumbnails: Iterable[bytes | None],
    folder: Path,
) -> str:
    """Return the page: ``photos`` with their thumbnails, and everything ``ranking`` rejected.

    No script or style other than the page's own can run in it, and it loads nothing.

    Args:
        ranking: what the page tells of.
        photos: those of it to show.
        thumbnails: of these, JPEG; None for one that is gone.
        folder: where the page will lie; thumbnails are links from there to their photos.
    """
    assets = resources.files("trigger.pages") / "assets"
    style = (assets / "contact_sheet.css").read_text("utf-8")
    script = (assets / "contact_sheet.js").read_text("utf-8")
    cards = list(zip(photos, thumbnails, strict=True))
    scores = [photo.score for photo, _ in cards]
    marks = [ranking.threshold, *scores]
    # Round numbers, for people to read.
    low, high = math.floor(10 * min([0.0, *marks])) / 10, math.ceil(10 * max([1.0, *marks])) / 10
    shown = "\n".join(
        _card(photo, thumbnail, _link(folder, photo.photo), low, high) for photo, thumbnail in cards
    )
    body = f"""<header>
<h1>{TITLE}</h1>
<p>{_summary(ranking, len(cards))}</p>
<p>The score predicts what enhancement would gain: 0 nothing, 1 a moderate and 2 a significant
improvement; below 0 it would harm. Bars reach from {low:.1f} to {high:.1f}, and the mark on each is
the threshold. A picture leads to its photo.</p>
</header>
<main>
<form hidden>
<label>Show <select name="show"><option value="all">all photos</option>
<option value="alerts">alerts only</option><option value="rest">no alert</option></select></label>
<label>Order <select name="order"><option value="best">most to gain first</option>
<option value="worst">least to gain first</option><option value="name">by name</option>
</select></label>
<output aria-live="polite"></output>
</form>
<ol class="photos">
{shown}
</ol>
{_rejected(ranking)}
</main>
"""
    return html_page(TITLE, body, style=style, script=script)


def _thumbnail(path: str) -> bytes | None:
    try:
        photo = read_photo(path, at_least=THUMBNAIL_SIDE)
    except PhotoError:
        return None
    photo.image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    content = io.BytesIO()
    photo.image.save(content, "JPEG", quality=80, optimize=True)
    return content.getvalue()


def _summary(ranking: Ranking, shown: int) -> str:
    total = len(ranking.photos)
    cut = f" Shown are the {shown} with most to gain." if shown < total else ""
    return html.escape(
        f"{total} photos, of which {ranking.alerts} reach the threshold {ranking.threshold:g}; "
        f"{len(ranking.rejected)} could not be read. Model: {ranking.model}.{cut}"
    )


def _link(folder: Path, photo: str) -> str:
    """Relative address of a photo; quoted, it can name nothing but a file."""
    return quote(os.path.relpath(os.fsencode(photo), os.fsencode(folder)))


def _card(photo: Assessment, thumbnail: bytes | None, link: str, low: float, high: float) -> str:
    name = html.escape(photo.photo)
    if thumbnail is None:
        picture = '<div class="none">no longer readable</div>'
    else:
        data = base64.b64encode(thumbnail).decode()
        picture = (
            f'<a href="{link}"><img src="data:image/jpeg;base64,{data}" alt="{name}" '
            f'loading="lazy" decoding="async"></a>'
        )
    badge = '<span class="badge">Enhance</span>' if photo.enhance else ""
    part = 100 * (photo.score - low) / (high - low)
    tick = 100 * (photo.threshold - low) / (high - low)
    return (
        f'<li{" class=alert" if photo.enhance else ""} data-score="{photo.score:.6f}" '
        f'data-name="{name}">{picture}<div class="text">'
        f'<div class="line"><span class="score">{photo.score:.3f}</span>{badge}</div>'
        f'<svg class="bar" aria-hidden="true"><rect class="whole" width="100%" height="100%"/>'
        f'<rect class="part" width="{part:.1f}%" height="100%"/>'
        f'<rect class="tick" x="{tick:.1f}%" width="2" height="100%"/></svg>'
        f'<div class="name">{name}</div>'
        f'<div class="size">{photo.width} &times; {photo.height}</div></div></li>'
    )


def _rejected(ranking: Ranking) -> str:
    if not ranking.rejected:
        return ""
    rows = "\n".join(
        f"<li><strong>{html.escape(photo.photo)}</strong>: {html.escape(photo.message)}</li>"
        for photo in ranking.rejected
    )
    return f'<h2>Not read ({len(ranking.rejected)})</h2>\n<ul class="rejected">\n{rows}\n</ul>'
