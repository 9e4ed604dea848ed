"""Ordered, bounded map over threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
_MAX_THREADS = 4  # each holds a photo in memory


def usable_cores() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_workers() -> int:
    """Return the number of threads for work on photos: one per usable core, at most 4."""
    return min(usable_cores(), _MAX_THREADS)


def map_in_order(work: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Yield ``work(item)`` for each item, in order, computed by ``workers`` threads.

    Items are taken one by one as threads get free, so there may be endlessly many; at most twice
    as many as there are threads wait at a time. If the caller is interrupted or wants no more,
    threads are left to finish the item they are at.

    Example:
        >>> list(map_in_order(len, ["a", "bb"], workers=2))
        [1, 2]
    """
    pending: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="trigger")
    wait = True
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) > 2 * workers:  # one running and one waiting per worker
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except (KeyboardInterrupt, GeneratorExit):
        wait = False
        raise
    finally:
        pool.shutdown(wait, cancel_futures=True)
