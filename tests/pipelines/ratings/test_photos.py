"""Rated photos, from raw and aggregated ratings."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from rating_rows import panel

from pipelines.ratings.aggregation import read_rated_pairs
from pipelines.ratings.photos import rated_photos
from pipelines.ratings.table import to_csv
from trigger.cli.app import main
from trigger.errors import DataError


def test_learning_reads_raw_and_aggregated_files_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(40):
        (tmp_path / f"p{i}.png").write_bytes(b"photo")
    raw, combined = tmp_path / "raw.csv", tmp_path / "sub" / "combined.csv"
    combined.parent.mkdir()
    raw.write_bytes(to_csv(panel()))
    plot = tmp_path / "summary.png"
    assert main(["ratings", "aggregate", str(raw), "--out", str(combined)]) == 0
    assert main(["ratings", "summary", str(raw), str(raw), "--plot", str(plot)]) == 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert main(["ratings", "summary", str(raw), "--plot", str(tmp_path / "p3.jpg")]) == 2
    said = capsys.readouterr().out
    for words in (
        "120 ratings of 40 pairs by 3 raters; skipped: 1;",
        "alpha (ordinal)",
        "<- fails",
    ):
        assert words in said
    assert read_rated_pairs(raw) == read_rated_pairs(combined)
    table, missing = rated_photos(combined)
    assert not missing
    assert list(table.columns[:3]) == ["pair", "photo", "path"]
    assert table["path"].map(Path).map(Path.is_file).all()
    assert table["rating"].between(-1, 2).all()
    assert (table["enhancer"] == "test-1").all()
    (tmp_path / "p3.png").unlink()
    left, missing = rated_photos(combined)
    assert len(left) == len(table) - 1
    assert [path for path, _ in missing] == [str(tmp_path / "p3.png")]
    combined.write_text(
        combined.read_text().replace(",ann + ben + zoe", ",x", 1).replace("1.0", "7.0")
    )
    with pytest.raises(DataError, match=r"line .*is 7\.0"):
        read_rated_pairs(combined)


def test_only_opinions_are_learned_from_and_a_photo_is_its_own_scene(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(name.encode())
    path = tmp_path / "ratings.csv"
    path.write_text(
        "pair,path,rating,skip,sentinel,repeat,rater\np,a.png,2,,,0,x\np,a.png,1,,,1,x\n"
        "p,a.png,-1,,,0,y\nq,b.png,,broken,,0,x\nr,gone.png,0,,identical,0,x\ns,b.png,0,,,0,x\n"
    )
    table, _ = rated_photos(path)
    assert list(table["path"]) == [str(tmp_path / name) for name in ("a.png", "b.png")]
    assert list(table["opinions"]) == [2, 1]
    assert table["rating"][1] == 0
    # By content: the same wherever it lies, and the same as in labels.
    hashes = [hashlib.sha256(name.encode()).hexdigest() for name in ("a.png", "b.png")]
    assert list(table["scene"]) == hashes


def test_versions_of_a_photo_are_one_scene_as_recorded_beside_them(tmp_path: Path) -> None:
    names = ("a-blur.png", "a-noise.png", "b.png", "c.png")
    hashes = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    record = [(hashes[0], "a", "blur"), (hashes[1], "a", "noise"), (hashes[1], "later", "none")]
    (tmp_path / "degradations.csv").write_text(
        "photo,scene,kind\n" + "".join(f"{','.join(row)}\n" for row in record)
    )
    raw, combined = tmp_path / "raw.csv", tmp_path / "sub" / "combined.csv"
    combined.parent.mkdir()
    lines = [f"{name},{'given' if name == 'c.png' else ''},1\n" for name in names]
    raw.write_text("path,scene,rating\n" + "".join(lines))
    assert main(["ratings", "aggregate", str(raw), "--out", str(combined)]) == 0
    for ratings in (raw, combined):
        assert list(rated_photos(ratings)[0]["scene"]) == ["a", "a", hashes[2], "given"]
