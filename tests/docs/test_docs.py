"""The documentation is true: its code runs, its links lead somewhere, every command is in it."""

from __future__ import annotations

import doctest
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import click
import pytest

import make_commands
import make_picture
from trigger.cli.app import main, make_program
from trigger.errors import PhotoReason

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
PAGES += sorted((ROOT / "docs").glob("*.md"))
NOT_RUN = re.compile(r"<!-- not run: \S.*-->")


@dataclass(frozen=True)
class Block:
    """A fenced block of code: where it begins, its language, and whether it is to be run."""

    line: int
    language: str
    code: str
    run: bool


def blocks(page: Path) -> list[Block]:
    lines = page.read_text("utf-8").splitlines()
    found: list[Block] = []
    start = None
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if start is None:
            start = number
        else:
            before = next((text for text in reversed(lines[:start]) if text), "")
            code = "\n".join(lines[start + 1 : number])
            run = NOT_RUN.fullmatch(before) is None
            found.append(Block(start + 1, lines[start].removeprefix("```"), code, run))
            start = None
    assert start is None, f"{page.name}: the block in line {start} has no end"
    return found


def typed(block: Block) -> Iterator[list[str]]:
    """The lines of a shell block as words, without comments; a line may end in a backslash."""
    for line in block.code.replace("\\\n", " ").splitlines():
        if block.language == "sh" or line.startswith("$ "):
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words:
                yield words


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photos of the README's picture; the documentation names them as photos/temple.png."""
    folder = tmp_path_factory.mktemp("docs") / "photos"
    make_picture.write_photos(folder)
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_blocks_run(
    page: Path,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "photos").mkdir()
    text = page.read_text("utf-8")
    for photo in photos.iterdir():  # only those that the page names: fewer are faster
        if f"photos/{photo.name}" in text or photo.stem == "temple":
            shutil.copy(photo, tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    for block in filter(lambda block: block.run, blocks(page)):
        where = f"{page.name}, line {block.line}"
        if block.language == "python" and ">>>" in block.code:
            examples = doctest.DocTestParser().get_doctest(block.code, {}, where, None, block.line)
            assert doctest.DocTestRunner(verbose=False).run(examples).failed == 0, where
        elif block.language == "python":
            exec(compile(block.code, where, "exec"), {})
        elif block.language in ("sh", "console"):
            capsys.readouterr()
            for words in typed(block):
                assert words[0] == "trigger", f"{where}: say why {words[0]} is not run"
                assert main(words[1:]) == 0, f"{where}: {shlex.join(words)}"
            if block.language == "console":
                expected = [line for line in block.code.splitlines() if not line.startswith("$ ")]
                assert capsys.readouterr().out.splitlines() == expected, where


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_code_blocks_exist_with_their_options(page: Path) -> None:
    for block in blocks(page):
        if block.language not in ("sh", "console"):
            continue
        for words in typed(block):
            if words[0] == "trigger":
                where = f"{page.name}, line {block.line}: {shlex.join(words)}"
                check_words(words[1:], where)


def check_words(words: list[str], where: str) -> None:
    command: click.Command = make_program()
    context = click.Context(command)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words.pop(0))
        assert found is not None, where
        command = found
        context = click.Context(command, parent=context)
    assert not isinstance(command, click.Group), where
    known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    own = words[: words.index("--")] if "--" in words else words
    for word in own:
        if re.match(r"--?[a-z]", word):
            assert word.partition("=")[0] in known, f"{where}: {word}"


def test_every_command_and_option_is_documented() -> None:
    assert make_commands.TARGET.read_text("utf-8") == make_commands.reference(), (
        "run: python docs/make_commands.py"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name}: {target}"
        if heading:
            assert heading in anchors(linked), f"{page.name}: {target}"


def anchors(page: Path) -> set[str]:
    """What headings are called in links, as GitHub makes it."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index


def test_every_reason_for_refusing_a_photo_is_explained() -> None:
    text = (ROOT / "docs" / "using.md").read_text("utf-8")
    assert {reason for reason in get_args(PhotoReason) if f"`{reason}`" not in text} == set()


def test_the_architecture_shows_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    for package in ("trigger", "export", "pipelines", "annotation"):
        for room in (ROOT / package).iterdir():
            if (room / "__init__.py").exists():
                assert f" {room.name}/" in text, f"{package}/{room.name}"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").split()) < 1000
