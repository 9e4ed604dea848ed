"""Progress bars on the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(
    items: Iterable[T],
    description: str,
    *,
    total: int | None = None,
    unit: str = "photos",
    shown: bool = True,
) -> tqdm[T]:
    """Iterate over ``items`` with a progress bar on standard error, if that is a terminal.

    Args:
        items: what to iterate over.
        description: what is being done, such as ``"scoring"``.
        total: how many items there are, where ``items`` has no length.
        unit: what the items are.
        shown: False: no bar, also on a terminal.
    """
    return tqdm(
        items,
        description,
        total,
        leave=False,
        unit=f" {unit}",
        dynamic_ncols=True,
        disable=None if shown else True,  # None: disabled where there is no terminal
    )
