"""Files are written whole, where they were meant to be."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from trigger.errors import DataError
from trigger.files import can_be_written, is_file, is_folder, write_atomically


def test_links_and_permissions_stay(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"old")
    file.chmod(0o640)
    link.symlink_to(file.name)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(tmp_path.iterdir()) == [file, link]


def test_what_replaces_a_private_file_is_private_from_the_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []

    def write_bytes(self: Path, data: bytes) -> int:
        modes.append(self.stat().st_mode & 0o777)
        return whole(self, data)

    whole = Path.write_bytes
    whole(tmp_path / "file", b"old")
    (tmp_path / "file").chmod(0o600)
    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    write_atomically(tmp_path / "file", b"new")
    assert modes == [0o600]


def test_pipes_are_written_to(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_atomically(pipe, b"data")
    reader.join(timeout=10)
    assert got == [b"data"]
    assert pipe.is_fifo()


def test_what_a_file_is_added_to_by_its_number_keeps_what_it_has(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb", buffering=0) as out:
        out.write(b"table ")
        write_atomically(f"/dev/fd/{out.fileno()}", b"data")
    assert (tmp_path / "out").read_bytes() == b"table data"


def test_the_own_output_may_be_a_file(tmp_path: Path) -> None:
    code = (
        "from trigger.files import write_atomically; print('table'); "
        "write_atomically('/dev/stdout', b'data '); print('more')"
    )
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (tmp_path / "out").read_bytes() == b"table\ndata more\n"


def test_it_is_known_beforehand_what_can_be_written(tmp_path: Path) -> None:
    longest = tmp_path / ("x" * 255)
    for path in (tmp_path / "new", longest, "/dev/null"):
        assert can_be_written(path)
    write_atomically(longest, b"data")
    assert longest.read_bytes() == b"data"
    for path in (tmp_path, tmp_path / "missing" / "file", tmp_path / ("x" * 256), "/proc/file"):
        assert not can_be_written(path)
    assert list(tmp_path.iterdir()) == [longest]


@pytest.mark.parametrize("name", [".", "x" * 300, "missing/file"])
def test_what_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=f"{name}: cannot be written"):
        write_atomically(name, b"data")
    assert not list(tmp_path.iterdir())


def test_names_that_no_file_can_have_are_of_none(tmp_path: Path) -> None:
    assert is_folder(tmp_path)
    for name in ("x" * 300, "a\0b"):
        assert not is_file(tmp_path / name)
        assert not is_folder(tmp_path / name)
        with pytest.raises(DataError, match="cannot be written"):
            write_atomically(tmp_path / name, b"data")
