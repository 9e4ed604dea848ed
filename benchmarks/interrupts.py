"""Interrupt a pool of worker processes at random moments, while other processes use the cores.

Run with ``python benchmarks/interrupts.py``. Each time, a process starts four workers, and ^C
reaches all of them, as on a terminal: while they start, while they import, or at work. It fails
if one of the processes prints anything, or has not ended after a minute.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time

DRIVER = """
import time
from pipelines.data.processes import worker_processes
if __name__ == "__main__":
    print("imported", flush=True)
    try:
        with worker_processes(4) as pool:
            for _ in pool.map(time.sleep, 10_000 * [0.01]):
                pass
    except KeyboardInterrupt:
        pass
"""


def main() -> int:
    """Interrupt and count; 1 if anything hung or was printed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=50, help="default: %(default)s")
    parser.add_argument("--latest", type=float, default=3, help="seconds (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    args = parser.parse_args()
    random.seed(args.seed)
    loads = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    faults = 0
    try:
        for number in range(args.moments):
            seconds = random.uniform(0, args.latest)
            fault, took = interrupt_after(seconds)
            faults += bool(fault)
            print(f"{number:3} after {seconds:.2f} s: {fault or 'ended quietly'} in {took:.1f} s")
    finally:
        for load in loads:
            load.kill()
            load.wait()
    print(f"{faults} faults in {args.moments} interrupts")
    return 1 if faults else 0


def interrupt_after(seconds: float) -> tuple[str, float]:
    """Interrupt a new driver; return what went wrong, if anything, and how long it took to end."""
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with driver:
        assert driver.stdout is not None
        driver.stdout.readline()
        time.sleep(seconds)
        begin = time.perf_counter()
        os.killpg(driver.pid, signal.SIGINT)
        try:
            _, errors = driver.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(driver.pid, signal.SIGKILL)
            return "hung", 60
    return errors, time.perf_counter() - begin


if __name__ == "__main__":
    raise SystemExit(main())
