"""Call a function with a time limit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")
Outcome = tuple[object, BaseException | None]


class TimeLimitError(Exception):
    """A call took longer than allowed."""


class TimeLimitedThread:
    """Makes calls in a thread of its own, which is abandoned when a call takes too long.

    A thread cannot be ended from outside: an abandoned one ends when its call returns, if ever, and
    its result is dropped. It may still use the objects of that call, so nobody else may.

    Example:
        >>> thread = TimeLimitedThread()
        >>> thread.call(lambda: 6 * 7, seconds=1)
        42
        >>> thread.end()
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="time limit", daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], T], seconds: float) -> T:
        """Call and return what the function returns or raise what it raises.

        Raises:
            TimeLimitError: it took longer than ``seconds``; the thread is abandoned.
        """
        self._calls.put(function)
        try:
            result, error = self._outcomes.get(timeout=seconds)
        except Empty:
            self.end()
            raise TimeLimitError from None
        if error is not None:
            raise error
        return result  # type: ignore[return-value]  # of this very call

    def end(self) -> None:
        """Let the thread end, now or when its call returns."""
        self._calls.put(None)

    def is_alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def _serve(self) -> None:
        while (function := self._calls.get()) is not None:
            try:
                self._outcomes.put((function(), None))
            except BaseException as error:  # raised again in the caller's thread
                self._outcomes.put((None, error))
