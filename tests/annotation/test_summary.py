"""The summary counts what people answered."""

from __future__ import annotations

import re
from dataclasses import replace

from rating_rows import rating

from annotation.summary import summary_text
from pipelines.ratings.aggregation import aggregate
from pipelines.ratings.reliability import judge_raters


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
        "6 ratings of 3 pairs by 4 raters; skipped: 1; also answered: 1 sentinel, 1 repeat",
        "mean rating 1 or better: 1 of 3 pairs",
        "pairs with two opinions or more: 2",
        "to review (two steps apart or more): 1 pair",
        "  q  mean +0.33, 3 steps, ann + ben + zoe  q.png",
    ):
        assert words in said
    assert re.search(r"1 moderate improvement +2 +33%  #{13}\n", said)
