from __future__ import annotations

import argparse
import csv
import importlib.util
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from trigger import Assessment, RejectedPhoto, Trigger
from trigger.cli import options
from trigger.cli.app import COMMANDS, main
from trigger.console.progress import track
from trigger.errors import DataError

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folder(photographs: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photographs, one in a subfolder."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "sub").mkdir()
    Image.fromarray(photographs["coffee"]).save(folder / "coffee.jpg")
    Image.fromarray(photographs["china"]).save(folder / "china\n.png")
    Image.fromarray(photographs["rocket"]).save(folder / "sub" / "rocket.webp")
    return folder


@pytest.fixture
def broken(folder: Path) -> Path:
    path = folder / "broken.jpg"
    path.write_text("Dear diary")
    return path


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


def test_misspelt_words_are_answered_by_their_command(capsys: Captured) -> None:
    assert main(["score", "x.jpg", "--treshold", "0.3"]) == 2
    said = capsys.readouterr().err
    assert "--threshold" in said
    assert "trigger score: error: unrecognized arguments: --treshold" in said
    assert main(["scor", "x.jpg"]) == 2
    assert "no command 'scor'; did you mean 'score'?" in capsys.readouterr().err


def test_a_mistyped_folder_costs_no_earlier_ranking(tmp_path: Path, capsys: Captured) -> None:
    earlier = tmp_path / "ranking.csv"
    earlier.write_text("earlier")
    assert main(["rank", str(tmp_path / "mistyped"), "--csv", str(earlier)]) == 1
    assert earlier.read_text() == "earlier"
    assert "no such file" in capsys.readouterr().err


def test_what_was_made_of_photos_is_not_ranked_beside_them(
    folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    photos = shutil.copytree(folder, tmp_path / "photos")
    for name, record, kind in (("l", "run.json", "labels"), ("p", "manifest.json", "pairs")):
        made = shutil.copytree(folder, photos / name / "sub").parent
        (made / record).write_text(json.dumps({"kind": f"trigger {kind}"}))
        assert main(["rank", str(photos), str(photos / ".." / "photos")]) in (0, 1)
        said = capsys.readouterr().err
        assert "3 photos ranked" in said
        assert f"left out {made}: holds {kind}, not photos" in said
    assert main(["rank", str(photos / "l")]) in (0, 1)
    assert "3 photos ranked" in capsys.readouterr().err


def test_rank_sorts_and_writes_what_was_asked(
    folder: Path, broken: Path, tmp_path: Path, capsys: Captured
) -> None:
    files = {kind: tmp_path / f"ranking.{kind}" for kind in ("csv", "json", "html")}
    options = [f"--{kind}={path}" for kind, path in files.items()]
    assert main(["rank", str(folder), "--top", "2", *options]) == 1
    output = capsys.readouterr()
    scores = [float(line.split()[0]) for line in output.out.splitlines()[1:]]
    assert len(scores) == 2
    assert scores == sorted(scores, reverse=True)
    assert "3 photos ranked" in output.err
    assert str(broken) in output.err

    loaded = json.loads(files["json"].read_text())
    assert len(loaded["photos"]) == 3
    assert [row["photo"] for row in loaded["rejected"]] == [str(broken)]
    with files["csv"].open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 4
    page = files["html"].read_text()
    assert page.count("<img ") == 2
    assert "Shown are the 2 with most to gain." in page
    for row in loaded["photos"][:2]:
        assert f'href="{quote(os.path.relpath(row["photo"], tmp_path))}"' in page
    assert sorted(tmp_path.iterdir()) == sorted(files.values())  # no temporary file is left


def test_a_name_that_is_no_text_is_written_as_the_disk_has_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, files = tmp_path / "photos", {kind: tmp_path / f"r.{kind}" for kind in ("csv", "html")}
    photos.mkdir()
    shutil.copy(folder / "coffee.jpg", photos / os.fsdecode(b"caf\xe9.jpg"))
    shutil.copy(folder / "sub" / "rocket.webp", photos)
    monkeypatch.setattr("trigger.commands.rank.MAX_PHOTOS", 1)
    options = [f"--{kind}={path}" for kind, path in files.items()]
    assert main(["rank", str(photos), "--top", "2", *options]) == 0
    assert b"caf\xe9.jpg" in files["csv"].read_bytes()
    assert files["html"].read_text().count("<img ") == 1  # no more than browsers can open


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


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["frobnicate"],
        ["score"],
        ["rank"],
        ["score", "a.jpg", "--frobnicate"],
        ["score", "a.jpg", "--thresh", "1"],
        ["score", "a.jpg", "--threshold", "nan"],
        ["score", "a.jpg", "--threshold", "high"],
        ["score", "a.jpg", "--workers", "0"],
        ["rank", ".", "--top", "-1"],
        ["rank", ".", "--csv", "no/such/folder/r.csv"],
        ["rank", ".", "--html", "."],
        ["rank", ".", "--csv", "photo.jpg"],
        ["rank", ".", "--csv", "ranking", "--json", "./ranking"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: Captured) -> None:
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "trigger" in output.err


@pytest.mark.parametrize(
    ("kind", "allowed", "refused"),
    [
        (options.positive_float, ["1e-9", "2"], ["0", "-1", "inf", "nan", "much"]),
        (options.positive_number, ["1", "20"], ["0", "-1", "1.5", "\N{SUPERSCRIPT TWO}"]),
        (options.random_seed, ["0", str(2**32 - 1)], [str(2**32), "-1", "x"]),
        (options.local_path, ["a/b", "~"], ["gs://bucket/photos"]),
    ],
)
def test_options_are_checked_at_their_limits(
    kind: Callable[[str], object], allowed: list[str], refused: list[str]
) -> None:
    assert [kind(text) for text in allowed]
    for text in refused:
        with pytest.raises(argparse.ArgumentTypeError):
            kind(text)


@pytest.mark.parametrize("is_terminal", [False, True])
def test_progress_is_shown_on_terminals_alone(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = io.StringIO()
    monkeypatch.setattr(errors, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stderr", errors)
    assert list(track(iter("abc"), 3, "scoring")) == ["a", "b", "c"]
    shown = errors.getvalue()
    assert ("] 3/3, 0 s left" in shown) == shown.endswith("\r\x1b[K") == is_terminal
    assert bool(shown) == is_terminal


def test_errors_are_one_line_and_exit_with_1(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "no.tflite").write_text("no model")
    for arguments, words in (
        (["rank", str(tmp_path)], "no photos in"),
        (["rank", str(tmp_path / "gone")], "no such file"),
        (["score", "a.jpg", "--model", str(tmp_path / "no.tflite")], "not a TFLite file"),
        (["score", "a.jpg", "--model", str(tmp_path / "gone")], "cannot be read"),
    ):
        assert main(arguments) == 1
        error = capsys.readouterr().err
        assert words in error
        assert "Traceback" not in error


def test_help_lists_every_command_without_importing_any() -> None:
    code = (
        "import sys, trigger.cli.app\n"
        "trigger.cli.app.main(['--help'])\n"
        "assert not {'tensorflow', 'apache_beam', 'pipelines', 'export'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, known in COMMANDS.items():
        assert name in done.stdout
        assert known.help in " ".join(done.stdout.split())


@pytest.mark.parametrize("name", ["score", "rank"])
def test_help_documents_exit_codes_and_shows_an_example(name: str, capsys: Captured) -> None:
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert "exit codes: 0" in text
    assert f"example: trigger {name} " in text


def test_version(capsys: Captured) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("trigger 0.")


def command_that(problem: BaseException) -> types.SimpleNamespace:
    def run(_: object) -> int:
        raise problem

    return types.SimpleNamespace(add_arguments=lambda _: None, run=run)


@pytest.mark.parametrize(
    ("problem", "code", "message"),
    [
        (DataError("the table is wrong"), 1, "trigger: the table is wrong\n"),
        (OSError(28, "disk is full"), 1, "trigger: [Errno 28] disk is full\n"),
        (KeyboardInterrupt(), 130, "trigger: interrupted\n"),
        (
            ModuleNotFoundError("No module named 'keras.ops'", name="keras.ops"),
            1,
            "trigger: trigger train needs the package 'keras', which is not installed. "
            "Install it with: pip install '.[pipelines]' in the folder of this project\n",
        ),
    ],
)
def test_problems_of_a_command_become_messages(
    problem: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    monkeypatch.setitem(sys.modules, "pipelines.training.baseline", command_that(problem))
    assert main(["train"]) == code
    assert capsys.readouterr().err == message


def test_a_module_of_our_own_that_is_missing_is_a_bug_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bug = ModuleNotFoundError("No module named 'pipelines.gone'", name="pipelines.gone")
    monkeypatch.setitem(sys.modules, "pipelines.training.baseline", command_that(bug))
    with pytest.raises(ModuleNotFoundError):
        main(["train"])


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


def test_a_ranking_is_written_though_nobody_reads_the_list(folder: Path, tmp_path: Path) -> None:
    written = tmp_path / "ranking.csv"
    command = [sys.executable, "-m", "trigger", "rank", str(folder), "--csv", str(written)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait() == 141
    assert "coffee.jpg" in written.read_text()


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


def test_the_command_table_names_modules_that_exist() -> None:
    for known in COMMANDS.values():
        assert importlib.util.find_spec(known.module), known.module
