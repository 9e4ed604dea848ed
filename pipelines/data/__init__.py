"""Files that the pipelines exchange: storage, locks, label tables, provenance, pixels, splits.

Example:
    >>> from pipelines.data import read_labels  # doctest: +SKIP
    >>> read_labels("labels")["delta"].mean()  # doctest: +SKIP
    0.31
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.data.label_run import LabelRun, read_run
    from pipelines.data.label_schema import Recipe
    from pipelines.data.labels import read as read_labels
    from pipelines.data.provenance import origins_of
    from pipelines.data.splits import is_held_out
    from pipelines.data.storage import Folder

__all__ = [
    "Folder",
    "LabelRun",
    "Recipe",
    "is_held_out",
    "origins_of",
    "read_labels",
    "read_run",
]

_PLACES = {
    "Folder": ("storage", "Folder"),
    "LabelRun": ("label_run", "LabelRun"),
    "Recipe": ("label_schema", "Recipe"),
    "is_held_out": ("splits", "is_held_out"),
    "origins_of": ("provenance", "origins_of"),
    "read_labels": ("labels", "read"),
    "read_run": ("label_run", "read_run"),
}


def __getattr__(name: str) -> object:
    # Imported when asked for: enhancers need pixels, but neither pandas nor Arrow.
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, original = _PLACES[name]
    return getattr(importlib.import_module(f"{__name__}.{module}"), original)
