from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trigger import Assessment, RejectedPhoto, Trigger
from trigger.cli.app import main
from trigger.model import load_model

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
def test_broken_profiles_are_counted(
    command: str, coffee: np.ndarray, tmp_path: Path, capsys: Captured
) -> None:
    for number, profile in enumerate((b"no profile", b"neither", None)):
        Image.fromarray(coffee).save(tmp_path / f"{number}.png", icc_profile=profile)
    photos = sorted(map(str, tmp_path.iterdir()))
    assert main([command, *photos]) == 0
    assert "2 photos with a broken ICC profile, taken for sRGB\n" in capsys.readouterr().err
    assert main([command, photos[-1]]) == 0
    assert "profile" not in capsys.readouterr().err


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


def test_a_photo_is_read_from_standard_input(folder: Path) -> None:
    photo = folder / "coffee.jpg"
    command = [sys.executable, "-m", "trigger", "score", "--json", "-", str(photo)]
    done = subprocess.run(command, input=photo.read_bytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    piped, named = map(json.loads, done.stdout.splitlines())
    assert piped["score"] == named["score"]


def test_an_interrupt_ends_at_once_though_a_photo_is_being_read() -> None:
    command = [sys.executable, "-m", "trigger", "score", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().split()[0] == b"score"
        time.sleep(0.5)  # now a thread waits for the photo
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
        assert process.stderr.read().endswith(b"trigger: interrupted\n")


def test_a_model_is_taken_only_with_the_sha256_given(folder: Path, capsys: Captured) -> None:
    assert main(["score", str(folder / "coffee.jpg"), "--sha256", "0" * 64]) == 1
    assert f"but {'0' * 64} was expected" in capsys.readouterr().err
    assert main(["score", str(folder / "coffee.jpg"), "--sha256", "0"]) == 2
    assert "64 hexadecimal digits" in capsys.readouterr().err
    right = load_model().sha256.upper()
    assert main(["score", str(folder / "coffee.jpg"), "--sha256", right]) == 0
