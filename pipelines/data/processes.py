"""Worker processes that end when the process that started them does, however it ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait

from trigger.errors import TriggerError
from trigger.threads import usable_cores


@contextmanager
def worker_processes() -> Iterator[ProcessPoolExecutor]:
    """One process per core that may be used, for functions of modules; they end with the block.

    Raises:
        TriggerError: one of them was killed.
    """
    context = get_context("forkserver")
    try:
        with ProcessPoolExecutor(usable_cores(), context, _end_with_parent) as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)  # only what has begun is waited for
                raise
    except BrokenProcessPool as error:
        raise TriggerError(
            "a worker process was killed, perhaps because memory ran out; close other programs "
            "and run the same command again"
        ) from error


def _end_with_parent() -> None:
    """Left to themselves, workers of a killed process finish its work, and then wait forever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C reaches the parent, which ends them
    parent = parent_process()
    if parent is None:  # never in a worker
        return

    def watch(sentinel: int) -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, args=[parent.sentinel], daemon=True).start()
