"""The frame that all pages share."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib import resources

import numpy as np
import pytest
from jinja2 import UndefinedError

from trigger.pages import embed, render
from trigger.photo.encode import jpeg_bytes, png_bytes
from trigger.ranking import rank

PIXELS = np.zeros((2, 3, 3), np.uint8)
NASTY = "<script>alert(1)</script>\"'"


def test_values_are_escaped_and_only_the_pages_own_code_may_run() -> None:
    values = {"cards": [], "low": 0, "high": 1}
    page = render("contact_sheet.html.j2", ranking=rank([], model=NASTY, threshold=0), **values)
    assert "alert(1)</script>" not in page
    assert NASTY in html.unescape(page)
    (policy,) = re.findall(r'Policy" content="([^"]*)"', page)
    for tag in ("style", "script"):
        (source,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in html.unescape(policy)


def test_a_value_that_is_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="ranking"):
        render("contact_sheet.html.j2", cards=[], low=0, high=1)


def test_every_page_extends_the_frame_and_writes_no_style_or_code_inline() -> None:
    templates = resources.files("trigger.pages") / "templates"
    for path in templates.iterdir():
        source = path.read_text("utf-8")
        if path.name not in ("frame.html.j2", "macros.html.j2"):
            assert source.startswith('{% extends "frame.html.j2" %}'), path.name
        assert not re.search(r"\bstyle=|\son[a-z]+=|\|\s*safe", source), path.name


@pytest.mark.parametrize(
    ("data", "kind"), [(png_bytes(PIXELS), "png"), (jpeg_bytes(PIXELS), "jpeg")]
)
def test_embedded_pictures_know_their_kind_and_size(data: bytes, kind: str) -> None:
    picture = embed(data)
    assert (picture.width, picture.height) == (3, 2)
    head, _, content = picture.src.partition(";base64,")
    assert head == f"data:image/{kind}"
    assert base64.b64decode(content) == data
