from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from trigger.photo import find_photos


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_folders_are_searched_in_order_and_links_are_not_followed(tmp_path: Path) -> None:
    touch(tmp_path, "b.JPG", "a.png", "notes.txt", ".hidden.jpg", "z/c.heic", ".git/d.jpg")
    touch(tmp_path, "m/e.tif")
    (tmp_path / "z" / "loop").symlink_to(tmp_path)
    found = [path.relative_to(tmp_path).as_posix() for path in find_photos([tmp_path])]
    assert found == ["a.png", "b.JPG", "m/e.tif", "z/c.heic"]


def test_files_are_taken_as_given(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt")
    given = [tmp_path / "notes.txt", tmp_path / "gone.jpg"]
    assert list(find_photos(given)) == given


def test_skipped_folders_are_logged_and_nothing_is_printed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    touch(tmp_path, "a.jpg", "@eaDir/a.jpg", ".thumbnails/a.png", "Thumbs/a.jpg", "labels/a.jpg")
    touch(tmp_path, ".git/a.jpg")
    (tmp_path / "labels" / "run.json").write_text(json.dumps({"kind": "trigger labels"}))
    (tmp_path / "link").symlink_to(tmp_path / "@eaDir")
    with caplog.at_level(logging.INFO, logger="trigger"):
        assert list(find_photos([tmp_path])) == [tmp_path / "a.jpg"]
    messages = {Path(record.args[0]).name: record.args[1] for record in caplog.records}  # type: ignore[index, arg-type]
    assert messages == {
        "@eaDir": "holds thumbnails made by the system",
        ".thumbnails": "holds thumbnails made by the system",
        "Thumbs": "holds thumbnails made by the system",
        "labels": "holds labels, not photos",
        "link": "is a link to a folder",
    }
    assert capfd.readouterr() == ("", "")
