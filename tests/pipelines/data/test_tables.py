"""CSV tables as people have them are read; what is written is harmless and comes back."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.data.tables import csv_bytes, frame_bytes, number, open_csv, read_csv, read_frame
from trigger.errors import DataError

ROWS = [["fotos/Å 1.png", "2"], ['say "no", twice;.png', "-1"]]


def spreadsheet(separator: str, end: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator=end).writerows(
        [["path ", "rating", ""], *([*row, ""] for row in ROWS), ["", "", ""], []]
    )
    return text.getvalue()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
@pytest.mark.parametrize("beginning", ["", "sep={}{}", '"sep={}"{}', "{1}{1}"])
def test_spreadsheets_of_all_kinds_hold_the_same(
    separator: str, end: str, encoding: str, beginning: str
) -> None:
    text = beginning.format(separator, end) + spreadsheet(separator, end)
    table = open_csv(io.BytesIO(text.encode(encoding)), "ratings.csv")
    assert table.header == ["path", "rating"]
    first = 2 + beginning.count("{}") // 2 + 2 * (beginning == "{1}{1}")
    assert list(table.rows) == [(first, ROWS[0]), (first + 1, ROWS[1])]


def test_a_named_separator_may_be_any_and_beats_the_others() -> None:
    table = open_csv(io.BytesIO(b"sep=|\npath|a,b,c\nx.png|1\n"), "t.csv")
    assert (table.header, list(table.rows)) == (["path", "a,b,c"], [(3, ["x.png", "1"])])


def test_one_column_is_read_from_rows_of_any_length() -> None:
    table = open_csv(io.BytesIO(b"id,path\n1,a.png\n2\n3,'=b.png,more\n"), "t.csv")
    assert list(table.column("path")) == ["a.png", "", "=b.png"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n ;;\n\n", "empty"),
        (b"path,rating\nFotos\xe4.png,1\n", "save it as UTF-8"),
        (b'path,rating\n\n"a.png,1\n', "line 3: not a readable CSV"),
    ],
)
def test_what_cannot_be_read_is_an_error(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        list(read_csv(path).rows)


def test_frames_know_the_lines_of_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "mos.csv"
    path.write_text("sep=;\nimage;mos\n\na.png;71,25\n;\nb.png;NA\n")
    table = read_frame(path)
    assert table.to_dict("index") == {
        4: {"image": "a.png", "mos": "71,25"},
        6: {"image": "b.png", "mos": "NA"},
    }
    assert number("71,25") == number("71.25") == 71.25
    path.write_text("image,mos\na.png,1\nb.png\n")
    with pytest.raises(DataError, match="line 3: has 1 cells, but the header has 2"):
        read_frame(path)


def test_bytes_that_are_not_utf_8_are_kept_in_names_of_files() -> None:
    table = open_csv(io.BytesIO(b"path\n\xe4.png\n"), "t.csv", errors="surrogateescape")
    assert list(table.column("path")) == ["\udce4.png"]


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", "'=1", "-", "=", "\n@"],
)
def test_cells_are_no_formulas_and_come_back(cell: str) -> None:
    content = csv_bytes(["path", "rating"], [[cell, -1]])
    framed = frame_bytes(pd.DataFrame({"path": [cell], "rating": [-1]}))
    [raw] = list(csv.reader(io.StringIO(content.decode(), newline="")))[1:]
    assert raw == [f"'{cell}", "-1"]
    for written in (content, framed):
        assert list(open_csv(io.BytesIO(written), "t.csv").rows) == [(2, [cell, "-1"])]


@pytest.mark.parametrize("cell", ["-1", "+2.5", "-1e-3", "a=b", "'tis", "", "'"])
def test_other_cells_are_written_as_they_are(cell: str) -> None:
    assert csv_bytes(["a", "b"], [[cell, 1]]).decode() == f"a,b\n{cell},1\n"


@given(st.text(st.characters(codec="utf-8"), max_size=8) | st.text("'=+-@\t\r\n 1", max_size=6))
def test_any_text_comes_back(cell: str) -> None:
    written = csv_bytes(["cell", "number"], [[cell, 1]])
    [(_, cells)] = open_csv(io.BytesIO(written), "t.csv").rows
    assert cells == [cell, "1"]
