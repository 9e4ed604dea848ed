"""The content security policy of the pages that this project writes."""

from __future__ import annotations

import base64
import hashlib


def page_policy(style: str, script: str, *, images: str = "data:") -> str:
    """A policy under which a page runs nothing but its own style and script, and loads nothing.

    Args:
        style: what stands in its style element.
        script: what stands in its script element.
        images: where pictures may come from; by default only from within the page.
    """
    return (
        f"default-src 'none'; img-src {images}; style-src '{_source_hash(style)}'; "
        f"script-src '{_source_hash(script)}'; base-uri 'none'; form-action 'none'"
    )


def _source_hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
