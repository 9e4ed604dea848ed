"""Enhance a photo of any size in bounded memory: overlapping windows, blended without seams.

Each window has a margin that is computed and thrown away, because the last pixels before a border
come out wrong, except at the photo's own border. Between the margins neighboring windows are
cross-faded; the fades of all windows sum to one at every pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pipelines.data.pixels import FloatPhoto, Pixels
from trigger.console.progress import progress
from trigger.errors import EnhancerError, OptionError

Photo = TypeVar("Photo", FloatPhoto, Pixels)
Watcher = Callable[[int, int], None]
_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@dataclass(frozen=True)
class Tiling:
    """How a photo is cut into windows.

    Attributes:
        tile: largest height and width of a window, in pixels; smaller photos are one window.
        margin: pixels along inner borders of a window that are thrown away. With the radius of
            the enhancer's receptive field or more, tiled and whole results are the same.
        blend: width in pixels of the cross-fade between neighbors.
        align: windows start at multiples of this.
        pad_to: a window is extended by reflection to multiples of this height and width; equal to
            ``tile`` for networks of a fixed size.
    """

    tile: tuple[int, int]
    margin: int
    blend: int
    align: int = 1
    pad_to: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        least = 2 * self.margin + self.blend + 2 * self.align
        if min(self.tile) < least:
            raise OptionError(f"tile is {self.tile}; with these margins it must be {least} or more")
        if any(side % self.align for side in self.tile):
            raise OptionError(f"tile is {self.tile}; it must be a multiple of {self.align}")


@dataclass(frozen=True, eq=False)
class _Span:
    start: int
    stop: int
    fade: npt.NDArray[np.float32]  # (stop - start,) in [0, 1]


def tiled(
    function: Callable[[Photo], FloatPhoto],
    photo: Photo,
    tiling: Tiling,
    *,
    scale: int = 1,
) -> FloatPhoto:
    """Apply ``function`` to windows of a photo and blend what comes out.

    Args:
        function: (h, w, C) windows to (scale * h, scale * w, 3) float32, with h and w at most
            ``tiling.tile``.
        photo: (H, W, C).
        tiling: the windows.
        scale: how many times larger the results are.

    Returns:
        (scale * H, scale * W, 3) float32. With a scale of 1, takes the memory of one more photo and
        a few windows.

    Raises:
        EnhancerError: the function returned another shape.
    """
    rows = list(_spans(photo.shape[0], 0, tiling))
    columns = list(_spans(photo.shape[1], 1, tiling))
    result = np.zeros((scale * photo.shape[0], scale * photo.shape[1], 3), np.float32)
    total = len(rows) * len(columns)
    watcher = _watcher.get()
    for done, (row, column) in enumerate(((r, c) for r in rows for c in columns), start=1):
        window = (slice(row.start, row.stop), slice(column.start, column.stop))
        enhanced = _on_window(function, photo[window], tiling.pad_to, scale)
        fades = np.repeat(row.fade, scale)[:, None] * np.repeat(column.fade, scale)
        target = tuple(slice(scale * span.start, scale * span.stop) for span in (row, column))
        result[target] += enhanced * fades[..., None]
        if watcher:
            watcher(done, total)
    return result


@contextmanager
def windows_shown(description: str, shown: bool = True) -> Iterator[None]:
    """Within this context, show a progress bar of the windows done, if ``shown``.

    It begins again where an enhancer goes over the photo more than once.
    """
    with progress((), description, unit="windows", shown=shown) as bar:

        def watch(done: int, total: int) -> None:
            if done == 1:
                bar.reset(total)
            bar.update()

        with windows_watched(watch):
            yield


@contextmanager
def windows_watched(watcher: Watcher) -> Iterator[None]:
    """Within this context, call ``watcher(done, total)`` after each window (in this thread)."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def _spans(length: int, axis: int, tiling: Tiling) -> Iterator[_Span]:
    """Cut one axis into overlapping spans whose fades sum to one at every pixel."""
    align, tile, pad_to = tiling.align, tiling.tile[axis], tiling.pad_to[axis]
    # A photo that fits into one window needs no fades.
    full = -(-length // align) * align
    if full <= tile:
        yield _Span(0, length, np.ones(length, np.float32))
        return
    # As few windows as cover the length, each overlapping the next; rounding their starts down
    # may cost one more `align`.
    overlap = 2 * tiling.margin + tiling.blend + align
    count = -(-(full - overlap) // (tile - overlap))
    # All of them as small as still covers it, in units that suit both alignment and padding.
    needed = -(-(full + (count - 1) * overlap) // count)
    unit = math.lcm(align, pad_to)
    tile = min(tile, -(-needed // unit) * unit)
    # Starts evenly spread, the last one so that its window ends with the photo.
    starts = [i * (full - tile) // (count - 1) // align * align for i in range(count)]
    # Each window fades in while the one before fades out, around the middle of their overlap.
    pixels = np.arange(length, dtype=np.float32) + 0.5
    risen = np.ones(length, np.float32)  # how far each window has taken over from the one before
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        if following is None:
            rising = np.zeros(length, np.float32)
        else:
            middle = (following + start + tile) / 2
            rising = np.clip((pixels - middle) / max(tiling.blend, 1) + 0.5, 0, 1)
        stop = min(start + tile, length)
        yield _Span(start, stop, (risen - rising)[start:stop])
        risen = rising


def _on_window(
    function: Callable[[Photo], FloatPhoto],
    window: Photo,
    pad_to: tuple[int, int],
    scale: int,
) -> FloatPhoto:
    height, width = window.shape[:2]
    extra = (-height % pad_to[0], -width % pad_to[1])
    if any(extra):
        window = np.pad(window, [(0, extra[0]), (0, extra[1]), (0, 0)], mode="symmetric")
    enhanced = np.asarray(function(window))
    wanted = (scale * window.shape[0], scale * window.shape[1], 3)
    if enhanced.shape != wanted:
        raise EnhancerError(
            f"the enhancer returned shape {enhanced.shape} for a window of shape {window.shape}; "
            f"it must return {wanted}"
        )
    return enhanced[: scale * height, : scale * width]
