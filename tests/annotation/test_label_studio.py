"""Label Studio exports of all kinds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rating_rows import panel

from annotation.label_studio import read_tasks, to_tasks
from pipelines.ratings.table import read_rows
from trigger.cli.app import main
from trigger.errors import DataError


def test_label_studio_answers_are_those_of_the_rating(tmp_path: Path) -> None:
    def choice(name: str, word: str) -> dict[str, object]:
        return {"type": "choices", "from_name": name, "value": {"choices": [word]}}

    path = tmp_path / "tasks.json"

    def write(*results: list[dict[str, object]]) -> None:
        annotations = [{"completed_by": 1, "result": result} for result in results]
        path.write_text(json.dumps([{"data": {"path": "a.png"}, "annotations": annotations}]))

    write([choice("sharpness", "regressed"), choice("rating", "neutral")])
    assert [row.rating for row in read_tasks(path)] == [0]
    assert [row.rating for row in read_tasks(path, words={"neutral": 1})] == [1]
    write([choice("rating", "neutral"), choice("rating", "neutral")])
    assert [row.rating for row in read_tasks(path)] == [0]
    write([choice("sharpness", "regressed"), choice("color", "neutral")])
    with pytest.raises(DataError, match="choices 'color', 'sharpness'; name the one that rates"):
        read_tasks(path)
    assert [row.rating for row in read_tasks(path, {"rating": "color"})] == [0]
    write([choice("rating", "neutral")], [choice("rating", "regressed")])
    with pytest.raises(DataError, match="answered the same pair on task 1, annotation 1"):
        read_tasks(path)


def test_label_studio_keeps_everything(tmp_path: Path) -> None:
    rows = panel()
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps(to_tasks(rows, [])))
    assert sorted(read_tasks(path), key=lambda row: row.id) == sorted(rows, key=lambda row: row.id)


def test_label_studio_exports_of_other_projects_are_read_by_mapping(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choice = {"type": "choices", "from_name": "c", "value": {"choices": ["Much better"]}}
    task: dict[str, Any] = {"id": 5, "data": {"image": "a.png"}}
    annotation = {"completed_by": 3, "lead_time": 4.5, "result": [choice]}
    path, out = tmp_path / "theirs.json", tmp_path / "ours.csv"
    path.write_text(json.dumps([task | {"annotations": [annotation]}]))
    command = ["ratings", "import", str(path), "--out", str(out), "--column", "path=image"]
    assert main(command) == 1
    assert "task 1: the choice is 'Much better'" in capsys.readouterr().err
    assert main([*command, "--word", "Much better=2"]) == 0
    [row] = read_rows(out)
    assert (row.path, row.rater, row.rating) == (str(tmp_path / "a.png"), "3", 2)
    named = [*command, "--word", "much better=2", "--column"]
    assert main([*named, "rater=who"]) == 1
    assert "task 1: the data has no field 'who'; got ['image']" in capsys.readouterr().err
    assert main([*named, "seconds=duration"]) == 1
    assert "--column cannot name seconds" in capsys.readouterr().err
    task["data"]["who"] = "Ann"
    cancelled = annotation | {"was_cancelled": True, "completed_by": 4}
    path.write_text(json.dumps([task | {"annotations": [annotation, cancelled]}]))
    assert main([*named, "rater=who", "--column", "repeat=again"]) == 1
    task["data"]["again"] = 0
    path.write_text(json.dumps([task | {"annotations": [annotation]}]))
    assert main([*named, "rater=who", "--column", "repeat=again"]) == 0
    assert read_rows(out)[0].rater == "Ann"
    path.write_text(json.dumps([task | {"annotations": [cancelled]}]))
    assert main(named[:-1]) == 0
    assert (read_rows(out)[0].rating, read_rows(out)[0].skip) == (None, "cancelled in Label Studio")
    left_or_right = {"type": "pairwise", "value": {"selected": "left"}}
    path.write_text(
        json.dumps([task | {"annotations": [annotation | {"result": [left_or_right]}]}])
    )
    assert main(command) == 1
    assert "of type pairwise" in capsys.readouterr().err


def export(path: Path, *tasks: object) -> Path:
    path.write_text(json.dumps(tasks))
    return path


def annotated(*annotations: dict[str, Any], **data: object) -> dict[str, Any]:
    return {"data": {"path": "a.png"} | data, "annotations": list(annotations)}


def chose(*words: str, rater: object = 1, region: str | None = "r1", **more: Any) -> dict[str, Any]:
    result = {"type": "choices", "from_name": "rating", "value": {"choices": list(words)}}
    return {"completed_by": rater, "result": [result | {"id": region}], **more}


def test_answers_that_took_over_one_prediction_share_its_region_id(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    export(path, annotated(chose("neutral", rater=1), chose("regressed", rater=2)))
    rows = read_tasks(path)
    assert [(row.rater, row.rating, row.id) for row in rows] == [("1", 0, ""), ("2", -1, "")]
    path = export(path, annotated(chose("neutral")), annotated(chose("neutral"), path="b.png"))
    assert [(row.path, row.id) for row in read_tasks(path)] == [("a.png", ""), ("b.png", "")]
    export(path, annotated(chose("neutral", rater=1), chose("regressed", rater=2, region="r2")))
    assert [row.id for row in read_tasks(path)] == ["r1", "r2"]


def test_a_rater_who_is_null_is_nobody(tmp_path: Path) -> None:
    for rater in (None, {"id": None, "email": None}, ""):
        path = export(tmp_path / "t.json", annotated(*(chose("neutral", rater=rater),) * 2))
        assert [row.rater for row in read_tasks(path)] == ["", ""]
    path = export(tmp_path / "t.json", annotated(chose("neutral"), who=None))
    assert [row.rater for row in read_tasks(path, {"rater": "who"})] == [""]


def test_two_choices_in_one_answer_are_refused(tmp_path: Path) -> None:
    path = export(tmp_path / "t.json", annotated(chose("neutral", "regressed")))
    with pytest.raises(DataError, match="task 1: 'rating' has the choices 'neutral', 'regressed'"):
        read_tasks(path)
    export(
        path, annotated({"result": [*chose("neutral")["result"], *chose("regressed")["result"]]})
    )
    with pytest.raises(DataError, match="task 1: 'rating' has the choices 'neutral', 'regressed'"):
        read_tasks(path)
    minimal = {"path": "a.png", "rating": {"choices": ["neutral", "regressed"]}, "annotator": 1}
    with pytest.raises(DataError, match="task 1: 'rating' has the choices"):
        read_tasks(export(path, minimal))


def test_json_min_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = {"annotation_id": 7, "created_at": "2026-05-01T12:30:00.5Z", "lead_time": 4.5}
    rows = [
        {"id": 1, "path": "a.png", "rating": "neutral", "annotator": 3, **common},
        {"id": 2, "path": "b.png", "skip": "too dark", "annotator": "ann@home"},
        {"id": 3, "path": "c.png", "annotator": None},
        {"id": 4, "path": "d.png", "rating": {"choices": ["regressed"]}, "annotator": 3},
    ]
    path, out = export(tmp_path / "min.json", *rows), tmp_path / "out.csv"
    found = read_tasks(path)
    assert [(row.path, row.rating, row.skip, row.rater) for row in found] == [
        ("a.png", 0, "", "3"),
        ("b.png", None, "too dark", "ann@home"),
        ("c.png", None, "cancelled in Label Studio", ""),
        ("d.png", -1, "", "3"),
    ]
    assert (found[0].id, found[0].seconds, found[0].time) == ("7", 4.5, common["created_at"])
    theirs = [{"image": "a.png", "verdict": "Much better", "annotator": 1}]
    command = ["ratings", "import", str(export(path, *theirs)), "--out", str(out)]
    mapped = ["--column", "path=image", "--column", "rating=verdict", "--word", "much better=2"]
    assert main([*command, *mapped]) == 0
    assert [row.rating for row in read_rows(out)] == [2]
    assert main(command) == 1
    assert "task 1: " in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{}", "[[]]", "[1]", '[{"path": "a.png"}]', "[", "[]"])
def test_what_is_no_export_is_an_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(content)
    with pytest.raises(DataError):
        read_tasks(path)
