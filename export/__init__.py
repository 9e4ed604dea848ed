"""From a Keras model to the TFLite file that a phone embeds (extra ``export``).

TensorFlow and LiteRT are imported with the first use of a name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from export.metadata import read_metadata
    from export.model import ExportReport, export_model

__all__ = ["ExportReport", "export_model", "read_metadata"]

_MODULES = {
    "ExportReport": "export.model",
    "export_model": "export.model",
    "read_metadata": "export.metadata",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'export' has no attribute {name!r}")
