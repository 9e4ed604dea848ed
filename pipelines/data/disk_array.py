"""Arrays on disk: several in one .npz file, or one that may be larger than memory."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trigger.errors import DataError
from trigger.files import write_atomically


def write_npz(path: Path, **arrays: Any) -> None:
    """Write arrays by name to a ``.npz`` file, whole or not at all.

    Raises:
        DataError: as ``write_atomically``.
    """
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getvalue())


def new_disk_array(
    path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...]
) -> np.memmap[Any, np.dtype[Any]]:
    """Return an array of zeros that is memory-mapped from a new ``.npy`` file.

    Raises:
        DataError: the disk is full or the folder not writable.
    """
    try:
        array = np.lib.format.open_memmap(path, "w+", dtype, shape)
        if hasattr(os, "posix_fallocate"):
            # Reserve all space: a process that writes to a map on a full disk is killed.
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        path.unlink(missing_ok=True)
        needed = np.dtype(dtype).itemsize * np.prod(shape, dtype=np.float64) / 2**20
        raise DataError(
            f"{path}: {needed:,.0f} MiB cannot be written there ({error.strerror}); make room, or "
            "choose a folder on another disk"
        ) from error
    return array
