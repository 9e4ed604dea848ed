"""A progress line on a terminal, and nothing where standard error is not one."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_WIDTH = 24
_SECONDS_BETWEEN = 0.1


def track(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Pass ``items`` on while showing how many of ``total`` have come, and the time left."""
    if not sys.stderr.isatty():
        yield from items
        return
    begin = shown = time.monotonic()
    try:
        for done, item in enumerate(items, start=1):
            now = time.monotonic()
            if now - shown > _SECONDS_BETWEEN or done == total:
                shown = now
                bar = "#" * (_WIDTH * done // total)
                left = (now - begin) / done * (total - done)
                sys.stderr.write(f"\r{what} [{bar:<{_WIDTH}}] {done}/{total}, {left:.0f} s left ")
                sys.stderr.flush()
            yield item
    finally:
        sys.stderr.write("\r\x1b[K")  # back to the start of an empty line
        sys.stderr.flush()
