"""Worker processes neither outlive what started them nor hang it after ^C."""

from __future__ import annotations

import importlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.data.processes import worker_processes
from trigger.errors import TriggerError

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")
KILLED = """
import operator, os, time
from pipelines.data.processes import worker_processes
if __name__ == "__main__":
    with worker_processes(2) as pool:
        print(next(pool.map(operator.call, [os.getpid])), flush=True)
        list(pool.map(time.sleep, [600]))
"""
INTERRUPTED = """
import time
from pipelines.data.processes import worker_processes
print("imported", flush=True)
if __name__ == "__main__":
    try:
        with worker_processes(4) as pool:
            for _ in pool.map(time.sleep, 10_000 * [0.01]):
                pass
    except KeyboardInterrupt:
        pass
"""


def start(tmp_path: Path, script: str) -> subprocess.Popen[str]:
    """Run a script in a session of its own, as a terminal does, to interrupt all its processes."""
    (tmp_path / "driver.py").write_text(script)
    return subprocess.Popen(
        [sys.executable, tmp_path / "driver.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        start_new_session=True,
    )


def _import(module: str) -> str:
    return importlib.import_module(module).__name__


def wait_until_gone(path: Path) -> None:
    deadline = time.monotonic() + 30
    while path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def interrupt_after(seconds: float, tmp_path: Path) -> str:
    """Interrupt a pool that many seconds after its script began; return what it printed."""
    with start(tmp_path, INTERRUPTED) as driver:
        try:
            assert driver.stdout is not None
            assert driver.stdout.readline() == "imported\n"
            time.sleep(seconds)
            os.killpg(driver.pid, signal.SIGINT)
            _, errors = driver.communicate(timeout=60)
        finally:
            if driver.poll() is None:
                os.killpg(driver.pid, signal.SIGKILL)
    return errors


def test_workers_end_with_the_process_that_was_killed(tmp_path: Path) -> None:
    with start(tmp_path, KILLED) as driver:
        assert driver.stdout is not None
        worker = Path(f"/proc/{int(driver.stdout.readline())}")
        assert worker.exists()
        driver.kill()
    wait_until_gone(worker)


# While the workers start, import and work. `python benchmarks/interrupts.py` tries 50 moments.
@pytest.mark.parametrize("part", [0.25, 0.4, 0.6, 0.8])
def test_an_interrupt_at_any_moment_ends_all_processes_quietly(part: float, tmp_path: Path) -> None:
    begin = time.monotonic()
    with worker_processes(4) as pool:
        list(pool.map(time.sleep, 4 * [0.01]))
    seconds = time.monotonic() - begin
    assert interrupt_after(part * seconds * random.uniform(0.9, 1.1), tmp_path) == ""


def test_nothing_is_imported_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("cloudpickle", "loky", "multiprocessing", "pickle", "cv2"):
        (tmp_path / f"{module}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    with worker_processes(1) as pool:
        assert list(pool.map(_import, ["cv2"])) == ["cv2"]
    assert not (tmp_path / "ran").exists()
    assert "PYTHONSAFEPATH" not in os.environ


def test_a_killed_worker_is_told_in_words() -> None:
    with (
        pytest.raises(TriggerError, match="a worker process was killed"),
        worker_processes() as pool,
    ):
        list(pool.map(signal.raise_signal, [signal.SIGKILL]))
