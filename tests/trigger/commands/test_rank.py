from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from trigger.cli.app import main

Captured = pytest.CaptureFixture[str]


def test_rank_sorts_and_writes_what_was_asked(
    folder: Path, broken: Path, tmp_path: Path, capsys: Captured
) -> None:
    files = {kind: tmp_path / f"ranking.{kind}" for kind in ("csv", "json", "html")}
    options = [f"--{kind}={path}" for kind, path in files.items()]
    assert main(["rank", str(folder), "--top", "2", *options]) == 1
    output = capsys.readouterr()
    scores = [float(line.split()[0]) for line in output.out.splitlines()[1:]]
    assert len(scores) == 2
    assert scores == sorted(scores, reverse=True)
    assert "3 photos ranked" in output.err
    assert str(broken) in output.err

    loaded = json.loads(files["json"].read_text())
    assert len(loaded["photos"]) == 3
    assert [row["photo"] for row in loaded["rejected"]] == [str(broken)]
    with files["csv"].open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 4
    page = files["html"].read_text()
    assert page.count("<img ") == 2
    assert "Shown are the 2 with most to gain." in page
    for row in loaded["photos"][:2]:
        assert f'href="{quote(os.path.relpath(row["photo"], tmp_path))}"' in page
    assert sorted(tmp_path.iterdir()) == sorted(files.values())  # no temporary file is left


def test_a_mistyped_folder_costs_no_earlier_ranking(tmp_path: Path, capsys: Captured) -> None:
    earlier = tmp_path / "ranking.csv"
    earlier.write_text("earlier")
    assert main(["rank", str(tmp_path / "mistyped"), "--csv", str(earlier)]) == 1
    assert earlier.read_text() == "earlier"
    output = capsys.readouterr()
    assert output.out == ""
    assert "no such file" in output.err


def test_what_was_made_of_photos_is_not_ranked_beside_them(
    folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    photos = shutil.copytree(folder, tmp_path / "photos")
    for name, record, kind in (("l", "run.json", "labels"), ("p", "manifest.json", "pairs")):
        made = shutil.copytree(folder, photos / name / "sub").parent
        (made / record).write_text(json.dumps({"kind": f"trigger {kind}"}))
        assert main(["rank", str(photos), str(photos / ".." / "photos")]) in (0, 1)
        said = capsys.readouterr().err
        assert "3 photos ranked" in said
        assert f"skipped {made}: it holds {kind}, not photos" in said
    assert main(["rank", str(photos / "l")]) in (0, 1)
    assert "3 photos ranked" in capsys.readouterr().err


def test_a_name_that_is_no_text_is_written_as_the_disk_has_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, files = tmp_path / "photos", {kind: tmp_path / f"r.{kind}" for kind in ("csv", "html")}
    photos.mkdir()
    shutil.copy(folder / "coffee.jpg", photos / os.fsdecode(b"caf\xe9.jpg"))
    shutil.copy(folder / "sub" / "rocket.webp", photos)
    monkeypatch.setattr("trigger.ranking_files.MAX_PHOTOS", 1)
    options = [f"--{kind}={path}" for kind, path in files.items()]
    assert main(["rank", str(photos), "--top", "2", *options]) == 0
    assert b"caf\xe9.jpg" in files["csv"].read_bytes()
    assert files["html"].read_text().count("<img ") == 1  # no more than browsers can open


def test_a_ranking_is_written_though_nobody_reads_the_list(folder: Path, tmp_path: Path) -> None:
    written = tmp_path / "ranking.csv"
    command = [sys.executable, "-m", "trigger", "rank", str(folder), "--csv", str(written)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait() == 141
    assert "coffee.jpg" in written.read_text()
