"""``trigger derive-ratings``: human scores become ratings, or an error."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipelines.opinions.derived_ratings import rating_of, rating_of_score
from pipelines.opinions.tid2013 import LEVEL_PSNR, TYPES, read_scores
from pipelines.ratings.photos import rated_photos
from trigger.cli.app import main
from trigger.errors import DataError
from trigger.photo import photo_hash

Captured = pytest.CaptureFixture[str]
SCORES = {"poor.png": 30.0, "fair.png": 50.0, "good.png": 80.0}


@pytest.fixture
def live(tmp_path: Path) -> Path:
    folder = tmp_path / "live"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in SCORES:
        Image.fromarray(rng.integers(256, size=(32, 32, 3), dtype=np.uint8)).save(folder / name)
    write_scores(folder, SCORES)
    return folder


def write_scores(folder: Path, scores: dict[str, float] | dict[str, str]) -> None:
    lines = [f"{name},{score},20" for name, score in scores.items()]
    (folder / "mos.csv").write_text("\n".join(["image,mos_0_100,std", *lines]))


def test_the_worse_people_find_a_photo_the_more_it_could_gain(live: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["derive-ratings", "--live", str(live), "--flawless", str(live / "good.png")]
    assert main([*command, "--out", str(out)]) == 0
    table = pd.read_csv(out / "ratings.csv")
    found = [(Path(path).name, rating) for path, rating in table[["path", "rating"]].to_numpy()]
    assert found == [("poor.png", 2), ("fair.png", 1), ("good.png", 0), ("good.png", 0)]


def test_each_photo_is_rated_once_however_it_is_named(live: Path, tmp_path: Path) -> None:
    good, out = live / "good.png", tmp_path / "out"
    command = ["derive-ratings", "--live", str(live), "--out", str(out)]
    out.mkdir()
    good.rename(out / "made-before.png")
    write_scores(live, {"poor.png": 30.0})
    for path in (live / "fair.png", live / "." / "fair.png", out):
        command += ["--flawless", str(path)]
    assert main(command) == 0
    table = pd.read_csv(out / "ratings.csv")
    assert [Path(path).name for path in table["path"]] == ["poor.png", "fair.png"]


def test_a_name_that_no_table_can_hold_is_said(
    live: Path, tmp_path: Path, capsys: Captured
) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/r\xff"))
    folder.mkdir()
    (live / "good.png").rename(folder / "good.png")
    write_scores(live, {"poor.png": 30.0})
    command = ["derive-ratings", "--live", str(live), "--out", str(tmp_path / "out")]
    assert main([*command, "--flawless", str(folder)]) == 1
    assert "is not UTF-8, near" in capsys.readouterr().err


def test_gains_are_binned_upwards() -> None:
    ratings = [rating_of(gain) for gain in np.linspace(-1, 4, 51)]
    assert ratings == sorted(ratings)
    assert set(ratings) == {-1, 0, 1, 2}


def test_only_scores_below_the_limits_leave_something_to_gain() -> None:
    assert [rating_of_score(score) for score in (4.5, 4.6, 6.3, 6.4, 9)] == [2, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("score", "words"),
    [("", "line 3: mos_0_100 is ''"), ("n/a", "'n/a'"), ("140", "from 0 to 100"), ("nan", "'nan'")],
)
def test_a_score_that_is_none_is_no_rating(
    live: Path, tmp_path: Path, capsys: Captured, score: str, words: str
) -> None:
    write_scores(live, {"good.png": "80", "fair.png": score})
    assert main(["derive-ratings", "--live", str(live), "--out", str(tmp_path / "out")]) == 1
    assert words in capsys.readouterr().err


def test_two_scores_of_one_photo_are_refused(live: Path, tmp_path: Path, capsys: Captured) -> None:
    (live / "mos.csv").write_text("image,mos_0_100,std\ngood.png,20,9\ngood.png,80,9")
    assert main(["derive-ratings", "--live", str(live), "--out", str(tmp_path / "out")]) == 1
    assert "line 3: scores a photo that an earlier line scores" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "image\n", 'image,mos_0_100,std\n"a\n'])
def test_a_file_that_is_no_table_is_an_error(live: Path, tmp_path: Path, text: str) -> None:
    (live / "mos.csv").write_text(text)
    assert main(["derive-ratings", "--live", str(live), "--out", str(tmp_path / "out")]) == 1


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["1,1,1,5.5"], r"no score of kodak, type and level \(1, 1, 2\)"),
        (["1,1,1,5.5", "1,1,1,5.6"], "line 3: scores a photo that an earlier line scores"),
        ([], "holds no scores"),
    ],
)
def test_a_table_with_gaps_is_found_before_any_work(
    tmp_path: Path, lines: list[str], words: str
) -> None:
    (tmp_path / "mos.csv").write_text("\n".join(["kodak,type,level,mos_0_9", *lines]))
    with pytest.raises(DataError, match=words):
        read_scores(tmp_path)


def test_what_was_made_from_a_photo_is_of_its_scene(live: Path, tmp_path: Path) -> None:
    tid, negatives, out = tmp_path / "tid", tmp_path / "negatives", tmp_path / "out"
    tid.mkdir()
    (live / "good.png").rename(tid / "kodak01.png")
    write_scores(live, {"poor.png": 30.0})
    scores = [f"1,{kind.number},{level},{6 - level}" for kind in TYPES for level in LEVEL_PSNR]
    (tid / "mos.csv").write_text("\n".join(["kodak,type,level,mos_0_9", *scores]))
    assert main(["degrade", str(tid), "--out", str(negatives), "--kinds", "plain,text"]) == 0
    command = ["derive-ratings", "--tid", str(tid), "--live", str(live), "--out", str(out)]
    assert main([*command, "--flawless", str(negatives)]) == 0
    table = pd.read_csv(out / "ratings.csv")
    kodak, phone = (
        photo_hash(path.read_bytes()) for path in (tid / "kodak01.png", live / "poor.png")
    )
    assert set(table["scene"]) == {kodak, phone}
    assert table.loc[table["scene"] == phone, "rater"].tolist() == ["live_challenge"]
    # The photos know their scene by themselves, for whoever labels them or reads them unnamed.
    (out / "ratings.csv").write_text(table.drop(columns="scene").to_csv(index=False))
    assert rated_photos(out / "ratings.csv")[0]["scene"].value_counts().to_dict() == {
        kodak: len(table) - 1,
        phone: 1,
    }
    original = table["path"] == "kodak01-00-0.png"
    assert table.loc[original, ["rater", "rating"]].to_numpy().tolist() == [["flawless", 0]]
