"""Files that the pipelines exchange: storage, locks, label tables, provenance, pixels, splits.

Example:
    >>> from pipelines.data import read_labels  # doctest: +SKIP
    >>> read_labels("labels")["delta"].mean()  # doctest: +SKIP
    0.31
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trigger.facade import lazy_exports

if TYPE_CHECKING:
    from pipelines.data.label_run import LabelRun, read_run
    from pipelines.data.label_schema import Recipe
    from pipelines.data.labels import read_labels
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

# Enhancers need pixels, but neither pandas nor Arrow.
__getattr__ = lazy_exports(
    __name__,
    {
        "Folder": "storage",
        "LabelRun": "label_run",
        "Recipe": "label_schema",
        "is_held_out": "splits",
        "origins_of": "provenance",
        "read_labels": "labels",
        "read_run": "label_run",
    },
)
