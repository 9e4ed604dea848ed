"""One process at a time writes to a folder."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipelines.data.lock import HOLDER_FILE, LockedError, _lock, exclusive, is_locked
from pipelines.data.storage import Folder

HOLDER = """
import sys, time
from pipelines.data.lock import exclusive
from pipelines.data.storage import Folder
with exclusive(Folder(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_the_holder_is_named_as_long_as_there_is_one(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with exclusive(folder):
        assert is_locked(folder)
        with pytest.raises(LockedError, match=r"in use by process \d+ on "), exclusive(folder):
            pass
    assert not is_locked(folder)
    assert not (tmp_path / HOLDER_FILE).exists()


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=f"in use by process {holder.pid} on "):
            exclusive(folder).__enter__()
        holder.kill()
    assert not is_locked(folder)
    with exclusive(folder):
        assert is_locked(folder)


def test_asking_whether_it_is_held_keeps_nobody_out(tmp_path: Path) -> None:
    asking = _lock(Folder(tmp_path))
    asking.acquire()
    threading.Timer(0.05, asking.release).start()
    with exclusive(Folder(tmp_path)):
        pass
