"""Beam worker processes on this machine: the driver notices their death, and they its.

Beam alone would wait forever for a killed worker, and its workers for a killed driver.
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

from pipelines.data.processes import SAFE_ENVIRONMENT

T = TypeVar("T")
# One thread per worker and library, or N workers would run N threads on each core.
SINGLE_THREADED = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
}
# Beam threads that fail when a worker has died, which Beam itself ignores.
BEAM_THREADS = {"run_worker", "beam_control_read", "read_grpc_client_inputs"}


class WorkerDiedError(Exception):
    """A worker process ended before the job did."""


def worker_command(lease: Path, log: Path) -> str:
    """Return the shell command of a worker that ends when the driver or the lease file is gone.

    It finds modules where this process does; `python -m` would look in the current folder first.
    Its output goes to the log, not between the lines of the driver's progress bar.
    """
    script = f"import sys; sys.path[:] = {sys.path}; from {__name__} import main; main()"
    settings = [f"{name}={value}" for name, value in (SINGLE_THREADED | SAFE_ENVIRONMENT).items()]
    python = [sys.executable, "-c", script, str(os.getpid()), str(lease)]
    return f"exec {shlex.join(['env', *settings, *python])} >>{shlex.quote(str(log))} 2>&1"


def main() -> None:
    """Serve as a worker; the arguments are the driver's process and the lease file."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C reaches the driver, which ends the lease
    watched = (int(sys.argv[1]), Path(sys.argv[2]))
    threading.Thread(target=_end_with, args=watched, daemon=True).start()
    sdk_worker_main.main(sys.argv)


def supervise(job: Callable[[], T], lease: Path) -> T:
    """Run a job that uses such workers; end all workers when the job ends, for whatever reason.

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
    # In a thread of its own, because Beam can be neither interrupted nor cancelled.
    thread = threading.Thread(target=work, name="beam", daemon=True)
    lease.touch()
    thread.start()
    try:
        while thread.is_alive() and not died.is_set():
            thread.join(0.2)
    finally:
        lease.unlink()
        if results:  # else threads of the abandoned job may still fail
            threading.excepthook = previous
    if errors:
        raise errors[0]
    if not results:
        raise WorkerDiedError
    return results[0]


def _end_with(driver: int, lease: Path) -> None:
    while os.getppid() == driver and lease.exists():
        time.sleep(0.5)
    if os.getppid() != driver:  # it was killed and left the folder behind
        shutil.rmtree(lease.parent, ignore_errors=True)
    os._exit(0)
