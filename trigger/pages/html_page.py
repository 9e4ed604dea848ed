"""Pages that this project writes: whole in one file, running and loading nothing but their own."""

from __future__ import annotations

import base64
import hashlib
import html


def html_page(title: str, body: str, *, style: str, script: str = "", images: str = "data:") -> str:
    """A page under whose policy nothing runs but its own style and script, and nothing is loaded.

    Args:
        title: plain text.
        body: HTML.
        style: CSS.
        script: JavaScript.
        images: where pictures may come from, in words of the policy; by default only from within
            the page.
    """
    policy = _policy(style, script, images)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{style}</style>
</head>
<body>
{body}{f"<script>{script}</script>" if script else ""}
</body>
</html>
"""


def _policy(style: str, script: str, images: str) -> str:
    return (
        f"default-src 'none'; img-src {images}; style-src '{_source_hash(style)}'; "
        f"script-src '{_source_hash(script)}'; base-uri 'none'; form-action 'none'"
    )


def _source_hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
