"""Tables of human scores, as spreadsheets save them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.opinions.score_table import read_score_table
from trigger.errors import DataError

COLUMNS = {"mos": (0.0, 100.0)}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("start", ["", "sep=;\n"])
def test_semicolons_and_decimal_commas_are_read(tmp_path: Path, encoding: str, start: str) -> None:
    path = tmp_path / "mos.csv"
    path.write_bytes(f"{start}image;mos\nä.png;71,5\nb.png;8\n;\n\n".encode(encoding))
    table = read_score_table(path, ["image"], COLUMNS)
    assert table.to_dict("records") == [
        {"image": "ä.png", "mos": 71.5},
        {"image": "b.png", "mos": 8.0},
    ]
    assert list(table.index) == [0, 1]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("\na.png,7\n\nb.png,x\n", "line 5: mos is 'x'"),
        ("a.png,101\n", "line 2: mos is '101'; it must be a number from 0 to 100"),
        ("a.png,7\n\na.png,8\n", "line 4: scores a photo that an earlier line scores"),
        ("", "holds no scores"),
    ],
)
def test_wrong_rows_are_named_by_their_line(tmp_path: Path, rows: str, words: str) -> None:
    path = tmp_path / "mos.csv"
    path.write_text(f"image,mos\n{rows}")
    with pytest.raises(DataError, match=words):
        read_score_table(path, ["image"], COLUMNS)
