"""The table that compares methods names the better method, and only with enough scenes."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.degradation.hard_negatives import HARD_NEGATIVES
from quality_table import OURS, PAIRS, WORSE, Row, alerts, as_markdown, table

NONE = float("nan")


def rows(scenes: int) -> list[Row]:
    """The trigger knows the damage of phone photos and finds every fault; chance knows neither."""
    rng = np.random.default_rng(0)

    def row(group: str, scene: int, damage: float, improvable: bool, score: float) -> Row:
        return Row(group, f"{scene}", damage, improvable, {OURS: score, "chance": rng.random()})

    found = []
    for scene in range(scenes):
        for group in ("LIVE Challenge", "TID2013"):
            damage = rng.random()
            found.append(row(group, scene, damage, damage > 0.5, damage))
        for kind in ("clean", *WORSE, *HARD_NEGATIVES):
            found.append(row(kind, scene, NONE, kind in WORSE, float(kind in WORSE)))
    return found


@pytest.mark.parametrize(("scenes", "sure"), [(60, True), (12, False)])
def test_a_method_that_is_right_is_surely_ahead_of_chance(scenes: int, sure: bool) -> None:
    report = table(rows(scenes))
    assert len(report) == 4 + len(WORSE) + len(HARD_NEGATIVES)
    for name, entry in report.items():
        assert entry["scenes"] == scenes
        ours, chance = entry["methods"][OURS], entry["methods"]["chance"]
        assert ours["value"] == pytest.approx(1)
        assert ours["trigger_ahead"] == pytest.approx([0, 0])
        assert chance["value"] < 0.8
        line = next(line for line in as_markdown(report).splitlines() if f"| {name} |" in line)
        assert line.count("*") == sure, "an asterisk behind chance alone"
    pairs = report[f"degraded above {HARD_NEGATIVES[0]} of the same scene"]
    assert pairs["n"] == scenes * (len(PAIRS) + 1)


def test_alerts_are_shares_of_each_group() -> None:
    shares = alerts(rows(40))
    assert {shares[kind] for kind in WORSE} == {1.0}
    assert {shares[kind] for kind in ("clean", *HARD_NEGATIVES)} == {0.0}
    assert 0.3 < shares["LIVE Challenge"] < 0.9
