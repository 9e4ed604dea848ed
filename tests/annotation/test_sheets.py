"""Blind sheets: nothing gives the enhanced photo away, and answers come back as ratings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from annotation_folders import make_pairs
from PIL import Image

from annotation.manifest import read_manifest
from annotation.sheet_answers import read_answers, side_preferences
from annotation.sheets import Key, make_sheets, read_key
from pipelines.ratings.table import read_rows
from trigger.cli.app import main
from trigger.errors import DataError, OptionError


@pytest.fixture(scope="module")
def pairs(
    tmp_path_factory: pytest.TempPathFactory, photographs: Mapping[str, npt.NDArray[np.uint8]]
) -> Path:
    return make_pairs(tmp_path_factory.mktemp("sheets"), photographs)


@pytest.fixture(scope="module")
def sheets(pairs: Path) -> Path:
    out = pairs.parent / "sheets"
    make_sheets(pairs, out)
    return out


@pytest.fixture
def key(sheets: Path) -> Key:
    return read_key(sheets)


def careful(key: Key, pair: str = "pair") -> list[dict[str, Any]]:
    """Answers of a rater who knows sentinels and prefers each enhanced photo moderately."""
    answers = []
    for sheet in key.sheets:
        other = "A" if sheet.after == "B" else "B"
        better, step = {
            "": (sheet.after, 1),
            "identical": ("same", 0),
            "good": (sheet.after, 2),
            "bad": (other, 2),
        }[sheet.sentinel]
        answers.append({pair: sheet.name, "better": better, "step": step})
    return answers


def write(path: Path, answers: object) -> Path:
    path.write_text(json.dumps(answers))
    return path


def test_every_showing_has_a_sheet_and_repeats_swap_sides(pairs: Path, key: Key) -> None:
    manifest = read_manifest(pairs)
    expected = [(p.pair, r) for p in manifest.pairs for r in range(1 + p.repeat)]
    assert sorted((sheet.pair, sheet.repeat) for sheet in key.sheets) == sorted(expected)
    assert {sheet.after for sheet in key.sheets} == {"A", "B"}
    first = {sheet.pair: sheet.after for sheet in key.sheets if not sheet.repeat}
    repeats = [sheet for sheet in key.sheets if sheet.repeat]
    assert len(repeats) == 2
    assert all(sheet.after != first[sheet.pair] for sheet in repeats)
    assert len({sheet.sentinel for sheet in key.sheets}) == 4


def test_what_raters_get_holds_pictures_and_no_key(sheets: Path, key: Key) -> None:
    handed_out = {path.name for path in (sheets / "sheets").iterdir()}
    names = [sheet.name for sheet in key.sheets]
    assert handed_out == {f"{name}.jpg" for name in names} | {"answers.csv", "instructions.txt"}
    assert (sheets / "sheets" / "answers.csv").read_text().splitlines() == [
        "pair,better,step",
        *(f"{name},," for name in names),
    ]
    for path in (sheets / "sheets").glob("*.jpg"):
        with Image.open(path) as picture:
            assert picture.width * picture.height < 1_200_000
            assert not picture.info.keys() & {"exif", "comment", "xmp"}
    assert b"sentinel" not in b"".join(p.read_bytes() for p in (sheets / "sheets").iterdir())


def test_a_is_on_the_left_and_each_side_is_what_the_key_says(
    pairs: Path, sheets: Path, key: Key
) -> None:
    by_name = {pair.pair: pair for pair in read_manifest(pairs).pairs}
    for sheet in key.sheets:
        pair = by_name[sheet.pair]
        if pair.before.full:  # small photos are shown as they are
            continue
        with Image.open(sheets / "sheets" / f"{sheet.name}.jpg") as picture:
            half = picture.width // 2
            sides = np.asarray(picture.convert("L"), float)
        shown = {"A": sides[66:, :half], "B": sides[66:, half:]}
        with Image.open(pairs / pair.after.display.file) as after:
            gray = np.asarray(after.convert("L"), float)
        left = (half - gray.shape[1]) // 2
        errors = {}
        for letter, side in shown.items():
            offsets = range(max(left - 12, 0), left + 12)
            errors[letter] = min(
                np.abs(side[: gray.shape[0], x : x + gray.shape[1]] - gray).mean() for x in offsets
            )
        if sheet.sentinel != "identical":
            assert min(errors, key=errors.__getitem__) == sheet.after


def test_the_same_seed_makes_the_same_sheets(pairs: Path, key: Key, tmp_path: Path) -> None:
    assert make_sheets(pairs, tmp_path / "again").sheets == key.sheets
    assert make_sheets(pairs, tmp_path / "other", seed=1).sheets != key.sheets
    with pytest.raises(OptionError, match="not empty"):
        make_sheets(pairs, tmp_path / "again")


def test_answers_become_ratings_and_sentinels_are_checked(
    sheets: Path, key: Key, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = write(tmp_path / "answers-ann.json", careful(key))
    out = tmp_path / "ratings.csv"
    command = ["ratings", "import", "--sheets", str(sheets), str(answers)]
    assert main([*command, "--out", str(out), "--rater", "Ann"]) == 0
    said = capsys.readouterr().out
    assert "24 ratings of 24 pairs by 1 rater;" in said
    assert "3/3" in said  # sentinels
    assert "2/2" in said  # repeats
    assert "Ann preferred A in " in said
    rows = read_rows(out)
    assert {row.rating for row in rows if not row.sentinel} == {1}
    assert {(row.sentinel, row.rating) for row in rows if row.sentinel} == {
        ("identical", 0),
        ("good", 2),
        ("bad", -1),
    }
    assert {row.rater for row in rows} == {"Ann"}
    assert all(row.photo and Path(row.path).is_file() for row in rows)


def test_answers_can_be_added_to_those_of_the_browser(
    pairs: Path, sheets: Path, key: Key, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = write(tmp_path / "ben.json", {"rater": "Ben", "answers": careful(key)})
    command = ["ratings", "import", "--sheets", str(sheets), str(answers), "--into", str(pairs)]
    assert main(command) == 0
    assert f"{len(key.sheets)} answers added" in capsys.readouterr().out
    assert main(command) == 0
    assert f"0 answers added, {len(key.sheets)} were there" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("better", "step", "rating"),
    [("after", 0, 0), ("after", 1, 1), ("after", 2, 2), ("before", 0, 0), ("before", 1, -1)],
)
def test_each_step_has_its_rating(
    sheets: Path, key: Key, tmp_path: Path, better: str, step: int, rating: int
) -> None:
    for sheet in key.sheets[:6]:
        other = "A" if sheet.after == "B" else "B"
        letter = sheet.after if better == "after" else other
        path = tmp_path / "ann.csv"
        path.write_text(f"sep=;\nPair;Better;Step\n{sheet.name};{letter.lower()};{step}\n;;\n")
        [row] = read_answers(sheets, path)
        assert (row.pair, row.rating, row.rater) == (sheet.pair, rating, "ann")


def test_what_was_not_answered_is_left_out(sheets: Path, key: Key, tmp_path: Path) -> None:
    path = tmp_path / "ann.csv"
    first, second, third = (sheet.name for sheet in key.sheets[:3])
    path.write_text(
        f"pair,better,step,skip,seconds\n{first},,,,\n{second},same,,,2.5\n{third},,,dark,\n"
    )
    same, skipped = read_answers(sheets, path)
    assert (same.rating, same.seconds) == (0, 2.5)
    assert (skipped.rating, skipped.skip) == (None, "dark")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("P9999,A,1", "line 2: pair is 'P9999'; these sheets are P0001, P0002, P0003"),
        ("P0001,C,1", "line 2: better is 'C'; it is A, B or same"),
        ("P0001,A,3", "line 2: step is '3'; it is 0, 1 or 2"),
        ("P0001,A,", "line 2: step is ''"),
        ("P0001,same,2", "line 2: better is 'same' but step is 2"),
        ("P0001,A,1\nP0001,A,1", "line 3: .* answered the same pair|line 3: id"),
        ("P0001,,", "holds no answers"),
    ],
)
def test_wrong_answers_are_named(sheets: Path, tmp_path: Path, row: str, words: str) -> None:
    path = tmp_path / "ann.csv"
    path.write_text(f"pair,better,step\n{row}\n")
    with pytest.raises(DataError, match=words):
        read_answers(sheets, path)


def test_a_preference_for_one_side_shows(sheets: Path, key: Key, tmp_path: Path) -> None:
    always_a = [{"pair": sheet.name, "better": "A", "step": 1} for sheet in key.sheets]
    rows = read_answers(sheets, write(tmp_path / "zoe.json", always_a))
    assert side_preferences(rows) == {"zoe": (len(key.sheets), len(key.sheets))}


def test_folders_without_a_key_are_refused(pairs: Path, sheets: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a finished folder of sheets"):
        read_key(tmp_path)
    whole = json.loads((sheets / "key.json").read_bytes())
    damages: list[dict[str, Any]] = [{"sheets": [{"name": "P0001"}]}, {"pairs": 7}]
    for damage in ({}, *(whole | damage for damage in damages)):
        (tmp_path / "key.json").write_text(json.dumps(damage))
        with pytest.raises(DataError, match="not a key of sheets"):
            read_key(tmp_path)
    assert main(["pairs", "sheets", str(pairs), "--out", str(tmp_path)]) == 2
