"""Render self-contained HTML pages, which load nothing from elsewhere.

Templates are in ``trigger/pages/templates``, styles and scripts in ``trigger/pages/assets``. Every
page extends ``frame.html.j2``, names the files it needs, and gets a content security policy that
allows exactly those.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from jinja2 import Environment

_ASSETS = resources.files("trigger.pages") / "assets"


@dataclass(frozen=True)
class Picture:
    """A picture for a page: its address, and its size so that nothing jumps while it loads.

    Attributes:
        src: a ``data:`` URI, or a URL relative to the page.
        width: in pixels.
        height: in pixels.
    """

    src: str
    width: int
    height: int


def embed(data: bytes) -> Picture:
    """Return a PNG, JPEG or WebP file as a picture that is part of the page.

    Example:
        >>> from trigger.photo.encode import png_bytes
        >>> import numpy as np
        >>> picture = embed(png_bytes(np.zeros((2, 3, 3), np.uint8)))
        >>> picture.width, picture.height, picture.src[:22]
        (3, 2, 'data:image/png;base64,')
    """
    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
        width, height = image.size
        kind = Image.MIME[image.format or "PNG"]
    return Picture(f"data:{kind};base64,{base64.b64encode(data).decode()}", width, height)


def render(template: str, **values: object) -> str:
    """Return the page that a template makes of values.

    Values are text, never markup: everything is escaped. A name that the template uses and that
    is not given is an error.

    Args:
        template: name of a file in ``trigger/pages/templates``.
        values: what the template shows, by the names that it uses.

    Example:
        >>> render("macros.html.j2").strip()
        ''
    """
    return _environment().get_template(template).render(values)


@functools.cache
def _environment() -> Environment:
    # Jinja2 takes longer to import than a photo to score; only pages need it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("trigger.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(asset=_asset, policy=_policy)
    environment.filters.update(number=_number)
    return environment


def _asset(names: Sequence[str]) -> str:
    """Styles or scripts, one after another, as they are."""
    from markupsafe import Markup

    return Markup("\n").join(Markup((_ASSETS / name).read_text("utf-8")) for name in names)


def _policy(style: str, script: str, images: str) -> str:
    """The content security policy of a page with one style and at most one script."""
    return (
        f"default-src 'none'; img-src {images}; style-src {_source(style)}; "
        f"script-src {_source(script)}; base-uri 'none'; form-action 'none'"
    )


def _source(text: str) -> str:
    if not text:
        return "'none'"
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _number(value: float, form: str = "z.2f") -> str:
    """A number with a true minus sign; ``z`` in the format means no negative zero."""
    return format(value, form).replace("-", "−")
