"""Arrays in files have their room before anything is written to them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from pipelines.data.disk_array import new_disk_array
from trigger.errors import DataError


def test_a_disk_array_starts_at_zero_and_has_all_its_room(tmp_path: Path) -> None:
    path = tmp_path / "array.npy"
    array = new_disk_array(path, np.uint8, (300, 1000))
    assert path.stat().st_blocks * 512 >= 300_000
    array[7] = 9
    array.flush()
    assert np.load(path).sum() == 9 * 1000


def test_a_full_disk_is_told_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DataError, match=r"array\.npy: 5 MiB cannot be written there \(No space"):
        new_disk_array(tmp_path / "array.npy", np.float16, (5, 2**19))
    assert not list(tmp_path.iterdir())
