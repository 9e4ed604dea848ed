"""Pages that hold all they show: one HTML file, no network, only their own style and script."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

from PIL import Image

from trigger.pages.html_page import html_page
from trigger.photo import Pixels


def page(title: str, body: str, *, styles: Sequence[str], script: str | None = None) -> str:
    """A page whose policy lets it load nothing and run nothing but its own script.

    Args:
        title: plain text.
        body: HTML.
        styles: names of files in ``pipelines/assets``, one after another.
        script: name of such a file.
    """
    style = "".join(_asset(name) for name in styles)
    code = _asset(script) if script else ""
    return html_page(title, body, style=style, script=code)


def image(data: bytes, kind: str, about: str, css_class: str = "") -> str:
    """A picture inside the page.

    Args:
        data: content of a file.
        kind: png, jpeg, ...
        about: what it shows, escaped.
        css_class: of the element.
    """
    chosen = f' class="{css_class}"' if css_class else ""
    width, height = Image.open(io.BytesIO(data)).size  # said, so that nothing jumps when it loads
    return (
        f'<img{chosen} src="data:image/{kind};base64,{base64.b64encode(data).decode()}" '
        f'width="{width}" height="{height}" alt="{about}" loading="lazy" decoding="async">'
    )


def jpeg(pixels: Pixels) -> bytes:
    """(H, W, 3) uint8 as JPEG of high quality: compression must not look like what is judged."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=92, subsampling=0)
    return buffer.getvalue()


def numbers(values: Mapping[str, object]) -> str:
    """Numbers with their names, in a row; names and values are escaped."""
    shown = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(str(value))}</dd></div>"
        for name, value in values.items()
    )
    return f'<dl class="numbers">{shown}</dl>'


def table(rows: Iterable[Iterable[object]], header: Iterable[str] = ()) -> str:
    """A table; cells are escaped, line breaks in them kept."""

    def line(cells: Iterable[object], tag: str) -> str:
        shown = (html.escape(str(cell)).replace("\n", "<br>") for cell in cells)
        return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in shown) + "</tr>"

    head = f"<thead>{line(header, 'th')}</thead>" if header else ""
    return (
        f'<div class="scroll"><table>{head}<tbody>'
        + "".join(line(row, "td") for row in rows)
        + "</tbody></table></div>"
    )


def _asset(name: str) -> str:
    return (resources.files("pipelines") / "assets" / name).read_text("utf-8")
