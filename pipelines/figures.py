"""Figures as files, made without pyplot, which keeps global state and looks for a screen."""

from __future__ import annotations

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def png_of(figure: Figure) -> bytes:
    """The content of a PNG file, 110 pixels per inch."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
