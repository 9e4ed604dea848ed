"""Ratings CSVs are checked line by line."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.data.tables import csv_bytes
from pipelines.ratings.table import (
    RATINGS,
    SENTINELS,
    Rating,
    parse_words,
    read_rows,
    to_csv,
)
from trigger.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"photo")
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "ratings.csv"
    path.write_text(text, newline="")
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,score\na.png,1\n", "'rating' is missing"),
        ("path,rating\na.png,3\n", "line 2: rating is '3'"),
        ("path,rating\na.png,1\nb.png,\n", "line 3: rating is ''"),
        ("path,rating\n,1\n", "line 2: path is empty"),
        ("path,rating\n", "no ratings"),
        ("", "not a readable CSV"),
        ('path,rating\n"a.png,1\n', "line 2: not a readable CSV"),
        ("path,rating\na.png\n", "line 2: has 1 cells, but the header has 2"),
        ("path,rating,rater\na.png,1,x\na.png,2,x\n", "line 3: 'x' answered .* on line 2"),
        ("id,path,rating\ni,a.png,1\ni,b.png,2\n", "line 3: id 'i' is that of line 2"),
        ("path,rating,skip\na.png,1,too dark\n", "line 2: rating is 1 and skip is 'too dark'"),
        ("path,rating,time\na.png,1,2025-05-01 12:00\n", "line 2: time is .* with a zone"),
        ("path,rating\na\0.png,1\n", "line 2: path is .* no file has such a name"),
        ("path,rating,repeat\na.png,1,0.5\n", "line 2: repeat is '0.5'; it is a whole number"),
        ("path,rating,seconds\na.png,1,soon\n", "line 2: seconds is 'soon'"),
        ("path,rating,seconds\na.png,1,-1\n", "line 2: seconds is -1.0"),
        ("path,rating,seconds\na.png,1,inf\n", "line 2: seconds is inf"),
        ("path,rating,rating\na.png,1,2\n", "column 'rating' is there twice"),
        ("path,rating,photo\na.png,1,abc\n", "line 2: photo is 'abc'"),
        ("path,rating,sentinel\na.png,1,yes\n", "line 2: sentinel is 'yes'; allowed are ident"),
        ('scene,path,rating\n"two\nlines",a.png,1\n,b.png,5\n', "line 4: rating is '5'"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(folder: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_rows(write(folder, text))


def test_whole_numbers_may_be_written_as_pandas_does(folder: Path) -> None:
    rows = read_rows(write(folder, "path,rating,repeat\na.png,2.0,0.0\nb.png,-1.0,1.0\n"))
    assert [(row.rating, row.repeat) for row in rows] == [(2, 0), (-1, 1)]


def test_names_of_files_are_taken_as_they_are(folder: Path) -> None:
    [row] = read_rows(write(folder, "path,rating\n a.png , 2 \n"))
    assert (row.path, row.rating) == (" a.png ", 2)
    text = csv_bytes(["path", "rating"], [["a\rb.png", 1]]).decode()
    assert [row.path for row in read_rows(write(folder, text))] == ["a\rb.png"]


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file; give the path of a CSV"):
        read_rows(tmp_path / "ratings.csv")


def test_all_wrong_lines_are_named_at_once(folder: Path) -> None:
    path = write(folder, "path,rating\n" + "a.png,9\n" * 12)
    with pytest.raises(DataError) as caught:
        read_rows(path)
    lines = str(caught.value).splitlines()
    assert "line 2:" in lines[0]
    assert "line 11:" in lines[9]
    assert lines[10:] == ["... and 2 more lines"]


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20).map(
    str.strip
)


@st.composite
def rows(draw: st.DrawFn) -> Rating:
    skip = draw(words)
    return Rating(
        id="",
        pair=draw(words.filter(bool)),
        photo=draw(st.sampled_from(["", "0123456789abcdef" * 4])),
        path=draw(names),
        scene=draw(words),
        enhancer=draw(words),
        rater="",
        rating=None if skip else draw(st.sampled_from(list(RATINGS))),
        skip=skip,
        time=draw(st.sampled_from(["", "2025-05-01T12:30:00.125Z", "2025-05-01T12:30:00+02:00"])),
        seconds=draw(st.none() | st.floats(0, 1e6)),
        view=draw(st.sampled_from(["", "mode=side", "mode=flicker zoom=100"])),
        sentinel=draw(st.sampled_from(["", *SENTINELS])),
        repeat=draw(st.integers(0, 3)),
    )


def test_a_hash_in_capitals_is_the_same_photo(tmp_path: Path) -> None:
    text = f"photo,rater,rating\n{'A' * 64},ann,1\n{'a' * 64},ben,2\n"
    assert len({row.pair for row in read_rows(write(tmp_path, text))}) == 1


def test_names_that_no_csv_can_hold_are_named() -> None:
    with pytest.raises(DataError, match=r"not UTF-8, near .*Fotos\\udce4"):
        csv_bytes(["path"], [["Fotos\udce4/a.png"]])


@given(st.lists(rows(), min_size=1, max_size=5))
def test_what_is_written_is_read_back(table: list[Rating]) -> None:
    with TemporaryDirectory() as folder:
        assert read_rows(write(Path(folder), to_csv(table).decode())) == table


def test_other_peoples_csv_is_read_by_mapping(folder: Path) -> None:
    path = folder / "theirs.csv"
    text = "\ufeffimage;verdict;who\na.png;Much Better;Åsa\nb.png;x=worse;Åsa\n"
    for separator in ";\t,":
        path.write_bytes(text.replace(";", separator).encode())
        table = read_rows(
            path,
            {"path": "image", "rating": "verdict", "rater": "who"},
            parse_words(["much better=2", "x=worse=-1"]),
        )
        assert [(row.path, row.rating, row.rater) for row in table] == [
            ("a.png", 2, "Åsa"),
            ("b.png", -1, "Åsa"),
        ]
    with pytest.raises(DataError, match=r"'rating' is missing.*--column rating=NAME"):
        read_rows(path)
