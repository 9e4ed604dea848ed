"""Careful raters are distinguished from careless ones."""

from __future__ import annotations

import pytest
from rating_rows import panel, rating

from pipelines.ratings.reliability import judge_raters


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
