"""Beam worker processes of this machine, tied to their driver in both directions.

Left to itself, Beam waits forever for a worker that was killed, and its workers stay behind
forever when their driver is.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from apache_beam.runners.worker import sdk_worker_main

T = TypeVar("T")
# One thread per worker and library, or N workers would run N threads on each core.
ONE_THREAD = ("OMP_NUM_THREADS=1", "TF_NUM_INTRAOP_THREADS=1", "OPENCV_FOR_THREADS_NUM=1")
# Where Beam learns that a worker is gone (its process ended, its connections broke), to no effect.
BEAM_THREADS = {"run_worker", "beam_control_read", "read_grpc_client_inputs"}


class WorkerDiedError(Exception):
    """A worker process ended before the job did."""


def worker_command(lease: Path, log: Path) -> str:
    """Shell command of a worker that ends when the driver or the lease file is gone.

    What it says goes to the log, not between the lines of the driver's progress bar.
    """
    module = [sys.executable, "-m", "pipelines.labelling.worker", str(os.getpid()), str(lease)]
    return f"exec {shlex.join(['env', *ONE_THREAD, *module])} >>{shlex.quote(str(log))} 2>&1"


def supervise(job: Callable[[], T], lease: Path) -> T:
    """Run a job that uses such workers; end all workers when it ends, for whatever reason.

    Raises:
        WorkerDiedError: a worker was killed or crashed; the job is abandoned.
    """
    died = threading.Event()
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(job())
        except BaseException as error:  # raised again below, in the caller's thread
            errors.append(error)

    def on_thread_error(args: threading.ExceptHookArgs) -> None:
        if args.thread is not None and args.thread.name in BEAM_THREADS:
            died.set()
        else:
            previous(args)

    previous, threading.excepthook = threading.excepthook, on_thread_error
    # A thread of its own, because Beam can be neither interrupted nor told to give up.
    thread = threading.Thread(target=work, name="beam", daemon=True)
    lease.touch()
    thread.start()
    try:
        while thread.is_alive() and not died.is_set():
            thread.join(0.2)
    finally:
        threading.excepthook = previous
        lease.unlink()
    if errors:
        raise errors[0]
    if not results:
        raise WorkerDiedError
    return results[0]


def _end_with(driver: int, lease: Path) -> None:
    while os.getppid() == driver and lease.exists():
        time.sleep(0.5)
    if os.getppid() != driver:  # which can no longer tidy up
        shutil.rmtree(lease.parent, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C reaches the driver, which ends the lease
    watched = (int(sys.argv[1]), Path(sys.argv[2]))
    threading.Thread(target=_end_with, args=watched, daemon=True).start()
    sdk_worker_main.main(sys.argv)
