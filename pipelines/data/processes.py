"""Worker processes that end with the process that started them, also when that is interrupted."""

from __future__ import annotations

import multiprocessing.resource_tracker
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

import loky.backend.resource_tracker

from trigger.errors import TriggerError
from trigger.threads import usable_cores

T = TypeVar("T")
R = TypeVar("R")
# Without it, Python would import modules of that name from the current folder.
SAFE_ENVIRONMENT = {"PYTHONSAFEPATH": "1"}
# What removes the semaphores of killed workers would otherwise print that it did.
QUIET_TRACKER = {"PYTHONWARNINGS": "ignore::UserWarning:loky.backend.resource_tracker"}


class WorkerProcesses:
    """Calls functions of modules in processes; see :func:`worker_processes`."""

    def __init__(self, count: int) -> None:
        with _starting_processes():
            self._pool = loky.ProcessPoolExecutor(
                count, initializer=_end_with, initargs=(os.getpid(),)
            )

    def map(self, work: Callable[[T], R], items: Iterable[T], *, chunksize: int = 1) -> Iterator[R]:
        """Yield ``work(item)`` for each item, in order.

        Args:
            work: a function of a module; it and its results are pickled.
            items: all are taken at once.
            chunksize: how many items are sent to a process at a time.
        """
        waiting = list(items)
        with _starting_processes():
            # Not by the pool's `map`, which cancels what waits when it is interrupted: the pool
            # may be about to give that its result, and stops working then.
            results = deque(
                self._pool.submit(_map_chunk, work, waiting[start : start + chunksize])
                for start in range(0, len(waiting), chunksize)
            )
        return _in_order(results)

    def end(self, *, kill: bool) -> None:
        """End the processes, at once if ``kill``, else when they have done their work."""
        with _interrupts_deferred():
            self._pool.shutdown(wait=True, kill_workers=kill)


def _map_chunk(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    return [work(item) for item in items]


def _in_order(chunks: deque[Future[list[R]]]) -> Iterator[R]:
    while chunks:
        yield from chunks.popleft().result()


@contextmanager
def worker_processes(count: int | None = None) -> Iterator[WorkerProcesses]:
    """Start processes that call functions, for as long as the block lasts.

    After an error or ^C in the block they are killed. If this process is killed, they end within
    a second. They import nothing from the current folder.

    Args:
        count: how many; one per usable core by default.

    Raises:
        TriggerError: one of them was killed.

    Example:
        >>> with worker_processes() as pool:  # doctest: +SKIP
        ...     sizes = list(pool.map(os.path.getsize, paths))
    """
    pool = WorkerProcesses(count or usable_cores())
    kill = True
    try:
        yield pool
        kill = False
    except BrokenProcessPool as error:
        raise TriggerError(
            "a worker process was killed, perhaps because memory ran out; close other programs "
            "and run the same command again"
        ) from error
    finally:
        pool.end(kill=kill)


@contextmanager
def _starting_processes() -> Iterator[None]:
    """Let processes that start in the block ignore ^C and the modules in the current folder."""
    with _interrupts_deferred(), safe_imports():
        # First those processes whose start unblocks ^C in this thread.
        multiprocessing.resource_tracker.ensure_running()
        with _environment(QUIET_TRACKER):
            loky.backend.resource_tracker.ensure_running()
        # Processes inherit what is blocked, so ^C cannot end one that is still importing; so do
        # the threads of the pool, which start processes, too.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextmanager
def safe_imports() -> Iterator[None]:
    """Let Pythons that start in the block import nothing from the current folder."""
    with _environment(SAFE_ENVIRONMENT):
        yield


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """Raise the KeyboardInterrupt of a ^C in the block at its end, when no lock is held."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python raises it in the main thread alone
        return
    pending: list[FrameType | None] = []
    handler = signal.signal(signal.SIGINT, lambda _, frame: pending.append(frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if pending and callable(handler):
        handler(signal.SIGINT, pending[0])


def _end_with(parent: int) -> None:
    """End this worker when its parent has ended; otherwise it would wait for work forever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()
