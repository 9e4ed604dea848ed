"""One process at a time writes to a folder."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import pytest

from pipelines.data.lock import LOCK_FILE, LockedError, exclusive, is_locked
from pipelines.data.storage import Folder


def test_the_holder_is_named_as_long_as_there_is_one(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with exclusive(folder):
        assert is_locked(folder)
        with pytest.raises(LockedError, match=r"in use by process \d+ on "), exclusive(folder):
            pass
    assert not is_locked(folder)
    assert (tmp_path / LOCK_FILE).read_text() == ""


def test_asking_whether_it_is_held_keeps_nobody_out(tmp_path: Path) -> None:
    with (tmp_path / LOCK_FILE).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # as ``is_locked`` does for a moment
        threading.Timer(0.05, fcntl.flock, (file, fcntl.LOCK_UN)).start()
        with exclusive(Folder(tmp_path)):
            pass
