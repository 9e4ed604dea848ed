"""The pictures that training writes beside its numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.figures import png_of
from trigger.files import write_atomically

Values = npt.NDArray[np.floating]


def scatter(path: Path, sides: dict[str, tuple[Values, Values]], title: str) -> None:
    """Predicted against measured values, one panel per side (name: predicted, measured)."""
    figure = Figure(figsize=(5 * len(sides), 4.6), layout="constrained")
    axes: list[Axes] = list(np.atleast_1d(figure.subplots(1, len(sides), sharex=True, sharey=True)))
    values = np.concatenate([np.concatenate(pair) for pair in sides.values()])
    low, high = float(values.min()), float(values.max())
    for axis, (name, (predicted, measured)) in zip(axes, sides.items(), strict=True):
        axis.plot([low, high], [low, high], color="0.6", linewidth=1)
        size = float(np.clip(3000 / len(measured), 7, 40))  # few dots must be seen, many not merge
        axis.scatter(measured, predicted, s=size, alpha=0.45, linewidths=0, color="#1f6f8b")
        axis.set(title=f"{name} (n = {len(measured)})", xlabel="measured delta")
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("predicted delta")
    figure.suptitle(title)
    write_atomically(path, png_of(figure))
