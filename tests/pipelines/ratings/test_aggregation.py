"""Agreement as published, raters told apart, one rating per pair."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from annotation.label_studio import read_tasks, to_tasks
from annotation.summary import summary_text
from pipelines.ratings.aggregation import (
    aggregate,
    disputed,
    read_rated_pairs,
)
from pipelines.ratings.agreement import (
    Level,
    alpha_interval,
    count_values,
    krippendorff_alpha,
    weighted_kappa,
)
from pipelines.ratings.photos import rated_photos
from pipelines.ratings.reliability import judge_raters
from pipelines.ratings.table import Rating, read_rows, to_csv
from trigger.cli.app import main
from trigger.errors import DataError

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), part C: four observers.
FOUR_OBSERVERS = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
# The same, part A: two observers, two values.
TWO_OBSERVERS = ("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0")
# Wikipedia, "Krippendorff's alpha", after Hayes and Krippendorff: three coders.
THREE_CODERS = (
    ". . . . . 3 4 1 2 1 1 3 3 . 3",
    "1 . 2 1 3 3 4 3 . . . . . . .",
    ". . 2 1 3 4 4 . 2 1 1 3 3 . 4",
)


def counts(observers: tuple[str, ...]) -> np.ndarray:
    values = [
        (unit, int(value))
        for row in observers
        for unit, value in enumerate(row.split())
        if value != "."
    ]
    units, ratings = zip(*values, strict=True)
    return count_values(units, ratings, sorted(set(ratings)))


@pytest.mark.parametrize(
    ("observers", "level", "published"),
    [
        (FOUR_OBSERVERS, "nominal", 0.743),
        (FOUR_OBSERVERS, "ordinal", 0.815),
        (FOUR_OBSERVERS, "interval", 0.849),
        (TWO_OBSERVERS, "nominal", 0.095),
        (THREE_CODERS, "nominal", 0.691),
        (THREE_CODERS, "interval", 0.811),
    ],
)
def test_alpha_is_that_of_published_examples(
    observers: tuple[str, ...], level: Level, published: float
) -> None:
    assert krippendorff_alpha(counts(observers), level) == pytest.approx(published, abs=5e-4)


def test_alpha_at_its_limits() -> None:
    assert krippendorff_alpha([[2, 0, 0], [0, 3, 0], [0, 0, 2]]) == 1
    assert np.isnan(krippendorff_alpha([[2, 0], [3, 0]]))
    assert np.isnan(krippendorff_alpha([[1, 0], [0, 1]]))
    rng = np.random.default_rng(0)
    chance = rng.multinomial(3, [0.25] * 4, 2000)
    assert abs(krippendorff_alpha(chance)) < 0.03
    assert alpha_interval(counts(FOUR_OBSERVERS)) == pytest.approx((0.45, 1), abs=0.12)


def test_weighted_kappa_is_that_of_its_formula() -> None:
    first, second = np.array([0, 1, 2]), np.array([0, 1, 1])
    observed = ((first - second) ** 2).mean()
    expected = (np.subtract.outer(first, second) ** 2).mean()
    assert weighted_kappa(first, second, [0, 1, 2]) == pytest.approx(1 - observed / expected)
    assert np.isnan(weighted_kappa([1, 1], [1, 1], [0, 1]))


def rating(pair: str, rater: str, value: int | None, **fields: Any) -> Rating:
    row: dict[str, Any] = {
        "id": f"{pair}-{rater}-{fields.get('repeat', 0)}",
        "pair": pair,
        "photo": "",
        "path": f"{pair}.png",
        "scene": "",
        "enhancer": "test-1",
        "rater": rater,
        "rating": value,
        "skip": "" if value is not None else "other",
        "time": "2025-05-01T12:00:00Z",
        "seconds": 2.5,
        "view": "mode=side",
        "sentinel": "",
        "repeat": 0,
    }
    return Rating(**row | fields)


def panel() -> list[Rating]:
    """Two careful raters, and one who presses keys at random."""
    truth = [(-1, 0, 1, 2)[i % 4] for i in range(40)]
    noise = np.random.default_rng(1).integers(-1, 3, 80).tolist()
    rows = []
    for i, value in enumerate(truth):
        rows += [
            rating(f"p{i}", "ann", value),
            rating(f"p{i}", "ben", max(value - (i % 5 == 0), -1)),
            rating(f"p{i}", "zoe", noise[i]),
        ]
    for i in range(6):
        kind, known = (("identical", 0), ("good", 2), ("bad", -1))[i % 3]
        rows += [rating(f"s{i}", name, known, sentinel=kind) for name in ("ann", "ben")]
        rows.append(rating(f"s{i}", "zoe", (2, -1, 2)[i % 3], sentinel=kind))
        rows += [rating(f"p{i}", "ann", truth[i], repeat=1)]
        rows += [rating(f"p{i}", "zoe", -noise[i] + 1, repeat=1)]
    return [*rows, rating("p50", "ann", None)]


@pytest.mark.parametrize("column", ["photo", "path", "enhancer"])
def test_opinions_on_different_things_are_not_averaged(column: str) -> None:
    first, second = "a" * 64, "b" * 64
    rows = [
        rating("1", "ann", 2, **{column: first}),
        rating("1", "ben", 0, **{column: second}),
    ]
    with pytest.raises(DataError, match=f"different things, {column} '{first}' and '{second}'"):
        aggregate(rows, [])


def test_what_one_answer_leaves_out_another_tells() -> None:
    told = {"photo": "a" * 64, "path": "p.png", "scene": "s", "enhancer": "e-1"}
    rows = [rating("p", "ann", 1, **dict.fromkeys(told, "")), rating("p", "ben", 1, **told)]
    for order in (rows, rows[::-1]):
        (pair,) = aggregate(order, [])
        assert {name: getattr(pair, name) for name in told} == told


def test_raters_who_nearly_always_agree_are_no_outliers() -> None:
    rows = [rating(f"p{i}", name, 0) for i in range(60) for name in ("ann", "ben")]
    rows += [rating("q", "ann", 1), rating("q", "ben", 0)]
    for rater in judge_raters(rows):
        assert rater.kappa < 0.2
        assert rater.doubts == ()


def test_a_careless_rater_is_found_and_counts_for_little() -> None:
    raters = {rater.rater: rater for rater in judge_raters(panel())}
    assert (raters["ann"].passed, raters["ann"].sentinels) == (6, 6)
    assert (raters["ann"].alike, raters["ann"].repeats, raters["ann"].skips) == (6, 6, 1)
    assert raters["ann"].weight == 1
    assert raters["zoe"].passed == 0
    assert raters["zoe"].weight < 0.3
    assert raters["zoe"].doubts
    assert not raters["ann"].doubts + raters["ben"].doubts
    assert raters["ann"].kappa > raters["zoe"].kappa


def test_failed_sentinels_lower_the_weight() -> None:
    rows = [rating(f"s{i}", "zoe", 2, sentinel="bad") for i in range(4)]
    (zoe,) = judge_raters([*rows, rating("p", "zoe", 0), rating("q", "zoe", 2)])
    assert (zoe.passed, zoe.sentinels) == (0, 4)
    assert zoe.weight == pytest.approx(2 / 6, abs=1e-4)


def test_any_gain_passes_a_good_sentinel_and_seconds_are_the_median() -> None:
    rows = [
        rating(f"s{seconds}", "ann", value, sentinel="good", seconds=seconds)
        for value, seconds in ((1, 1.0), (2, 2.0), (0, 30.0))
    ]
    (ann,) = judge_raters(rows)
    assert (ann.passed, ann.sentinels, ann.seconds) == (2, 3, 2)


def test_who_rates_higher_than_others_is_said_from_ten_pairs_on() -> None:
    rows = [
        rating(f"p{i}", name, i % 3 - 1 + higher)
        for i in range(10)
        for name, higher in (("ann", 1), ("ben", 0))
    ]
    ann, ben = judge_raters(rows)
    assert (ann.rater, ann.bias, ben.bias) == ("ann", 1, -1)
    assert ann.doubts[-1:] == ("rates higher than others",)
    assert ben.doubts[-1:] == ("rates lower than others",)
    fewer = judge_raters([row for row in rows if row.pair != "p0"])
    assert not any(rater.doubts for rater in fewer)


def test_a_pair_gets_the_weighted_mean_of_its_first_showings() -> None:
    rows = panel()
    raters = judge_raters(rows)
    pairs = {pair.pair: pair for pair in aggregate(rows, raters)}
    assert len(pairs) == 40  # no sentinels, no skips
    weight = {rater.rater: rater.weight for rater in raters}
    given = {row.rater: row.rating or 0 for row in rows if row.pair == "p7" and not row.repeat}
    expected = sum(weight[name] * value for name, value in given.items()) / sum(weight.values())
    assert pairs["p7"].rating == pytest.approx(expected, abs=1e-3)
    assert pairs["p7"].majority == 2
    assert (pairs["p7"].opinions, pairs["p7"].raters) == (3, "ann + ben + zoe")
    assert pairs["p7"].scene == ""  # left to whoever has the photo
    worst = disputed(list(pairs.values()))
    assert worst[0].spread == 3
    assert {pair.pair for pair in worst} == {p.pair for p in pairs.values() if p.spread >= 2}


def test_pairs_that_raters_agree_on_weigh_more() -> None:
    rows = [rating("alike", name, 1) for name in "abcd"]
    rows += [
        rating("unlike", name, value) for name, value in zip("abcd", (2, -1, 2, -1), strict=True)
    ]
    rows += [rating("single", "a", 2), *(rating("low", name, -1) for name in "abcd")]
    weight = {pair.pair: pair.weight for pair in aggregate(rows, [])}
    assert weight["alike"] > weight["unlike"]
    assert weight["alike"] > weight["single"]
    assert {pair.weight for pair in aggregate([rating("p", "a", 1)], [])} == {1.0}


def test_the_majority_is_weighted_and_a_draw_has_none() -> None:
    rows = [rating("p", "ann", 2), rating("p", "ben", 0), rating("p", "cid", 0)]
    doubted = [
        replace(rater, weight=1.0 if rater.rater == "ann" else 0.1) for rater in judge_raters(rows)
    ]
    assert [aggregate(rows, raters)[0].majority for raters in ([], doubted)] == [0, 2]
    assert aggregate(rows[:2], [])[0].majority is None


def test_opinions_of_doubted_raters_make_a_pair_weigh_less() -> None:
    rows = [
        rating(f"p{i}", name, (i + more) % 3)
        for i in range(9)
        for name, more in (("ann", 0), ("ben", 1))
    ]
    doubted = [replace(rater, weight=0.1) for rater in judge_raters(rows)]
    plain, less = (aggregate(rows, raters)[0].weight for raters in ([], doubted))
    assert less < plain


@pytest.mark.parametrize("truth", [0, 1])
def test_weights_tell_what_part_of_the_means_is_no_noise(truth: int) -> None:
    rng = np.random.default_rng(2)
    noise = rng.choice([-1, 0], (1000, 2))
    values = noise + truth * rng.integers(0, 3, (1000, 1))
    rows = [
        rating(f"p{i}", name, int(value))
        for i, row in enumerate(values)
        for name, value in zip("ab", row, strict=True)
    ]
    weights = [pair.weight for pair in aggregate(rows, [])]
    between = values.mean(axis=1).var() - noise.mean(axis=1).var()
    known = between / (between + noise.var() / 2)
    assert np.mean(weights) == pytest.approx(known, abs=0.1)


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
    for words in ("120 ratings of 40 pairs by 3 raters; 1 skips", "alpha (ordinal)", "<- fails"):
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


def test_the_summary_counts_what_people_said() -> None:
    rows = [
        *(rating("p", name, 1) for name in ("ann", "ben")),
        *(rating("q", name, value) for name, value in (("ann", 2), ("ben", -1), ("zoe", 0))),
        rating("r", "ann", 0),
        rating("r", "ann", 1, repeat=1),
        rating("s", "ann", 0, sentinel="identical"),
        rating("t", "ben", None),
    ]
    raters = judge_raters(rows)
    said = summary_text(rows, aggregate(rows, []), [*raters, replace(raters[0], rater="\x1b[2J")])
    assert "\x1b" not in said
    for words in (
        "6 ratings of 3 pairs by 4 raters; 1 skips, 1 answers to sentinels, 1 to repeats",
        "mean rating 1 or better: 1 of 3 pairs",
        "pairs with two opinions or more: 2",
        "1 pairs deserve another look",
        "  q  mean +0.33, 3 steps, ann + ben + zoe  q.png",
    ):
        assert words in said
    assert re.search(r"1 moderate improvement +2 +33%  #{13}\n", said)


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


def test_aggregated_ratings_are_told_from_raw_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw, combined = tmp_path / "raw.csv", tmp_path / "combined.csv"
    raw.write_text("path,rating\na.png,2\n")
    assert main(["ratings", "aggregate", str(raw), "--out", str(combined)]) == 0
    assert main(["ratings", "summary", str(combined)]) == 1
    assert "aggregated already" in capsys.readouterr().err
    header, row = combined.read_text().splitlines()
    combined.write_text(f"{header}\n{row}\n{row}\n")
    with pytest.raises(DataError, match=r"line 3: pair .* is on line 2 too"):
        read_rated_pairs(combined)


def test_an_aggregated_file_may_pass_through_pandas(tmp_path: Path) -> None:
    raw, combined = tmp_path / "raw.csv", tmp_path / "combined.csv"
    raw.write_text("path,rater,rating\na.png,ann,2\na.png,ben,1\nb.png,ann,2\n")
    assert main(["ratings", "aggregate", str(raw), "--out", str(combined)]) == 0
    expected = read_rated_pairs(combined)
    pd.read_csv(combined).to_csv(combined, index=False)
    assert read_rated_pairs(combined) == expected
    combined.write_text(combined.read_text().replace(",2.0,", ",many,"))
    with pytest.raises(DataError, match=r"line 3: rating is 'many'; it is a number"):
        read_rated_pairs(combined)
    combined.write_text(combined.read_text().rpartition(",")[0])
    with pytest.raises(DataError, match=r"line 3: has 10 cells, but the header has 11"):
        read_rated_pairs(combined)


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
    write([choice("rating", "neutral"), choice("rating", "regressed")])
    assert [row.rating for row in read_tasks(path)] == [0]  # the first
    write([choice("sharpness", "regressed"), choice("colour", "neutral")])
    with pytest.raises(DataError, match="choices 'colour', 'sharpness'; name the one that rates"):
        read_tasks(path)
    assert [row.rating for row in read_tasks(path, {"rating": "colour"})] == [0]
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
