"""Ratings CSVs are checked line by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotation.ratings import mean_ratings, read_ratings
from trigger.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"photo")
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "ratings.csv"
    path.write_text(text)
    return path


def test_opinions_are_averaged_per_photo(folder: Path) -> None:
    table = mean_ratings(
        read_ratings(write(folder, "path,rating,rater\na.png,2,x\na.png,-1,y\nb.png,0,x\n"))
    )
    assert list(table["rating"]) == [0.5, 0]
    assert list(table["opinions"]) == [2, 1]
    assert table["path"].map(Path).map(Path.is_absolute).all()
    assert (table["scene"] == table["path"]).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,score\na.png,1\n", "'rating' is missing"),
        ("path,rating\na.png,3\n", "line 2: rating is '3'"),
        ("path,rating\na.png,1\nb.png,\n", "line 3: rating is ''"),
        ("path,rating\nnone.png,1\n", "line 2: photo .*none.png does not exist"),
        ("path,rating\n,1\n", "line 2: path is empty"),
        ("path,rating\n", "no ratings"),
        ("", "not a readable CSV"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(folder: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_ratings(write(folder, text))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such ratings CSV"):
        read_ratings(tmp_path / "ratings.csv")
