from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trigger import Assessment, RejectedPhoto, Trigger
from trigger.cli.app import main

Captured = pytest.CaptureFixture[str]


def test_score_prints_a_line_per_photo(folder: Path, capsys: Captured) -> None:
    paths = [str(folder / "coffee.jpg"), str(folder / "china\n.png")]
    assert main(["score", *paths]) == 0
    output = capsys.readouterr()
    header, *lines = output.out.splitlines()
    assert header.split() == ["score", "alert", "photo"]
    assert [line.split(maxsplit=2)[2] for line in lines] == [
        paths[0],
        paths[1].replace("\n", "\\n"),
    ]
    assert output.err == ""


def test_score_as_json_lines_goes_on_after_a_broken_photo(
    folder: Path, broken: Path, capsys: Captured
) -> None:
    arguments = ["score", "--json", "--threshold=-99", "--workers=2", str(broken)]
    assert main([*arguments, str(folder / "coffee.jpg"), str(folder)]) == 1
    output = capsys.readouterr()
    first, second, third = map(json.loads, output.out.splitlines())
    assert first["error"]["reason"] == "not-a-photo"
    assert second["enhance"] is True
    assert second["threshold"] == -99
    assert third["error"]["reason"] == "directory"
    assert f"trigger: {broken}: is not a photo" in output.err


@pytest.mark.parametrize("command", ["score", "rank"])
def test_what_is_shown_to_how_many_workers_is_as_asked(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int | None]] = []

    def assess_all(
        self: Trigger, photos: object, *, workers: int | None
    ) -> Iterator[Assessment | RejectedPhoto]:
        asked.append((self.views, workers))
        return iter([])

    monkeypatch.setattr(Trigger, "assess_all", assess_all)
    assert main([command, str(folder / "coffee.jpg"), "--views", "tiles", "--workers", "3"]) == 0
    assert main([command, str(folder / "coffee.jpg")]) == 0
    assert asked == [("tiles", 3), ("whole", None)]


def test_a_reader_that_stops_early_is_no_error(folder: Path) -> None:
    command = [sys.executable, "-m", "trigger", "score", *[str(folder / "coffee.jpg")] * 20]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().split()[0] == "score"
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait() == 141
    assert errors == ""


@pytest.mark.parametrize(
    ("redirection", "code", "errors"),
    [
        (">/dev/full", 1, "trigger: [Errno 28] No space left on device\n"),
        (">&-", 0, ""),
        (">/dev/null 2>&-", 0, ""),
    ],
)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_output_that_goes_nowhere_ends_in_no_traceback(
    folder: Path, redirection: str, code: int, errors: str
) -> None:
    command = (
        f"{shlex.quote(sys.executable)} -m trigger score {shlex.quote(str(folder / 'coffee.jpg'))}"
    )
    done = subprocess.run(
        ["sh", "-c", f"{command} {redirection}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert not done.stdout
    assert done.stderr.endswith(errors)
    assert "Traceback" not in done.stderr
