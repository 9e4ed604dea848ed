"""Let ^C end long calls into decoders at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")
_LOOK_SECONDS = 0.1


def call_interruptibly(function: Callable[[], T]) -> T:
    """Call a function so that ^C is acted on while it runs.

    Python acts on signals in the main thread, between instructions: never during a call into a
    decoder. So from the main thread the function is called in another one, which is abandoned on
    ^C and does not keep the process from ending.

    Example:
        >>> call_interruptibly(lambda: 6 * 7)
        42
    """
    if threading.current_thread() is not threading.main_thread():
        return function()
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name="trigger-decoder").start()
    while not wait([future], _LOOK_SECONDS).done:
        pass  # a wait without end would not be interrupted on every system
    return future.result()
