"""Export Keras models to TFLite files for phones (extra ``export``).

TensorFlow and LiteRT are imported with the first use of a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trigger.facade import lazy_exports

if TYPE_CHECKING:
    from export.metadata import read_metadata
    from export.model import ExportReport, export_model

__all__ = ["ExportReport", "export_model", "read_metadata"]

__getattr__ = lazy_exports(
    __name__, {"ExportReport": "model", "export_model": "model", "read_metadata": "metadata"}
)
