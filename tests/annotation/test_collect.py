"""Answers of several files count once, and none is lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines.ratings.aggregation import read_rated_pairs
from trigger.cli.app import main


@pytest.mark.parametrize(
    ("ours", "theirs", "outcome"),
    [
        ("1,a.png,ann,2", "1,a.png,ann,2", 1),  # the same answer twice
        (",a.png,ann,2", ",a.png,ann,2", 1),
        (",a.png,,2", ",a.png,,2", 2),  # nobody knows whether these are two people
        (",a.png,ann,2", ",a.png,ben,2", 2),
        ("1,a.png,ann,2", "1,a.png,ben,2", "id '1' has other content .* delete the column"),
        ("1,a.png,,2", "1,b.png,,2", "id '1' has other content"),
        (",a.png,ann,2", ",a.png,ann,-1", "'ann' has another answer to pair '.*a.png'"),
        ("1,a.png,ann,2", "2,a.png,ann,2", "'ann' has another answer to pair '.*a.png'"),
    ],
)
def test_answers_of_several_files_count_once_and_none_is_lost(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    ours: str,
    theirs: str,
    outcome: int | str,
) -> None:
    files = [tmp_path / "ours.csv", tmp_path / "theirs.csv"]
    for file, row in zip(files, (ours, theirs), strict=True):
        file.write_text(f"id,path,rater,rating\n{row}\n")
    out = tmp_path / "out.csv"
    code = main(["ratings", "aggregate", *map(str, files), "--out", str(out)])
    if isinstance(outcome, int):
        assert code == 0
        assert sum(pair.opinions for pair in read_rated_pairs(out)) == outcome
    else:
        assert code == 1
        said = capsys.readouterr().err
        assert re.search(outcome, said)
        assert "theirs.csv and" in said
        assert not out.exists()


@pytest.mark.parametrize("answers", ["ann,2 ann,2", "ann,2 ben,-1"])
def test_photos_of_one_name_in_two_folders_are_two(tmp_path: Path, answers: str) -> None:
    files = []
    for name, answer in zip("ab", answers.split(), strict=True):
        files.append(tmp_path / name / "ratings.csv")
        files[-1].parent.mkdir()
        files[-1].write_text(f"path,rater,rating\nIMG_0001.jpg,{answer}\n")
    out = tmp_path / "out.csv"
    assert main(["ratings", "aggregate", *map(str, files), "--out", str(out)]) == 0
    pairs = read_rated_pairs(out)
    assert [pair.path for pair in pairs] == [str(f.with_name("IMG_0001.jpg")) for f in files]
    assert [pair.opinions for pair in pairs] == [1, 1]
