"""One rating per pair, and how reliable it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rating_rows import panel, rating

from pipelines.ratings.aggregation import aggregate, disputed, read_rated_pairs
from pipelines.ratings.reliability import judge_raters
from trigger.cli.app import main
from trigger.errors import DataError


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
