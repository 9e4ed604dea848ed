"""Worker processes neither outlive what started them nor take it down with a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.data.processes import worker_processes
from trigger.errors import TriggerError

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")
DRIVER = """
import os, time
from pipelines.data.processes import worker_processes
if __name__ == "__main__":
    with worker_processes() as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        pool.submit(time.sleep, 600)
        time.sleep(600)
"""
INTERRUPTED = """
import time
from pipelines.data.processes import worker_processes
if __name__ == "__main__":
    try:
        with worker_processes() as pool:
            for _ in pool.map(time.sleep, [0] + 600 * [0.5]):
                print("at work", flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


BEAM_DRIVER = """
import os, subprocess, sys
worker = '''
import os, sys
from pathlib import Path
from pipelines.labelling.worker import _end_with
print(os.getpid(), flush=True)
_end_with(int(sys.argv[1]), Path(sys.argv[2]))
'''
subprocess.run([sys.executable, "-c", worker, str(os.getpid()), os.environ["LEASE"]])
"""


def start(tmp_path: Path, script: str) -> subprocess.Popen[str]:
    """Run a script in a session of its own, as a terminal does, to interrupt all its processes."""
    (tmp_path / "driver.py").write_text(script)
    return subprocess.Popen(
        [sys.executable, tmp_path / "driver.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        start_new_session=True,
    )


def wait_until_gone(worker: int) -> None:
    deadline = time.monotonic() + 30
    while Path(f"/proc/{worker}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_workers_end_with_the_process_that_was_killed(tmp_path: Path) -> None:
    with start(tmp_path, DRIVER) as driver:
        assert driver.stdout is not None
        worker = int(driver.stdout.readline())
        assert Path(f"/proc/{worker}").exists()
        driver.kill()
    wait_until_gone(worker)


def test_workers_of_beam_end_with_the_process_that_was_killed_and_tidy_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = tmp_path / "job" / "lease"
    lease.parent.mkdir()
    lease.touch()
    monkeypatch.setenv("LEASE", str(lease))
    with start(tmp_path, BEAM_DRIVER) as driver:
        assert driver.stdout is not None
        worker = int(driver.stdout.readline())
        driver.kill()
    wait_until_gone(worker)
    assert not lease.parent.exists()


def test_an_interrupt_waits_for_what_has_begun_and_says_nothing(tmp_path: Path) -> None:
    with start(tmp_path, INTERRUPTED) as driver:
        assert driver.stdout is not None
        assert driver.stderr is not None
        assert driver.stdout.readline() == "at work\n"
        os.killpg(driver.pid, signal.SIGINT)
        rest = driver.stdout.read()
        assert rest.endswith("interrupted\n")
        assert rest.count("at work") < 300
        assert driver.stderr.read() == ""


def test_a_killed_worker_is_told_in_words() -> None:
    with (
        pytest.raises(TriggerError, match="a worker process was killed"),
        worker_processes() as pool,
    ):
        list(pool.map(signal.raise_signal, [signal.SIGKILL]))
