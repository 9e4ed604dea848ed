"""Marker files: JSON records that identify the folders written by our commands."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

LABELS_RECORD, LABELS_KIND = "run.json", "trigger labels"
PAIRS_RECORD, PAIRS_KIND = "manifest.json", "trigger pairs"
SHEETS_RECORD, SHEETS_KIND = "key.json", "trigger sheets"
_KINDS = {LABELS_RECORD: LABELS_KIND, PAIRS_RECORD: PAIRS_KIND, SHEETS_RECORD: SHEETS_KIND}


def kind_of(folder: str, files: Collection[str]) -> str:
    """Return the kind of a folder whose pictures were made from photos; "" for any other.

    Args:
        folder: its path.
        files: names of the files in it.
    """
    for record, kind in _KINDS.items():
        if record not in files:
            continue
        try:
            if json.loads(Path(folder, record).read_bytes())["kind"] == kind:
                return kind
        except (OSError, ValueError, TypeError, LookupError):
            continue
    return ""
