from __future__ import annotations

import sys
import types
from pathlib import Path

import click
import pytest

from trigger.cli.app import main
from trigger.errors import DataError

Captured = pytest.CaptureFixture[str]


def test_misspelt_words_are_answered_by_their_command(capsys: Captured) -> None:
    assert main(["score", "x.jpg", "--treshold", "0.3"]) == 2
    said = capsys.readouterr().err
    assert "--threshold" in said
    assert "Usage: trigger score" in said
    assert "No such option '--treshold'. Did you mean '--threshold'?" in said
    assert main(["scor", "x.jpg"]) == 2
    assert "no command 'scor'; did you mean 'score'?" in capsys.readouterr().err


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


def test_a_group_without_a_command_lists_its_commands(capsys: Captured) -> None:
    assert main(["ratings"]) == 2
    assert "name a command: summary, export, import, aggregate (trig" in capsys.readouterr().err


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


def test_version(capsys: Captured) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("trigger 0.")


def command_that(problem: BaseException) -> types.SimpleNamespace:
    @click.command
    def command() -> None:
        raise problem

    return types.SimpleNamespace(command=command)


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
    monkeypatch.setitem(sys.modules, "pipelines.commands.train", command_that(problem))
    assert main(["train"]) == code
    assert capsys.readouterr().err == message


def test_a_module_of_our_own_that_is_missing_is_a_bug_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bug = ModuleNotFoundError("No module named 'pipelines.gone'", name="pipelines.gone")
    monkeypatch.setitem(sys.modules, "pipelines.commands.train", command_that(bug))
    with pytest.raises(ModuleNotFoundError):
        main(["train"])
