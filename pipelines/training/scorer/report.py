"""How well a scorer agrees with people, and with the judge about what was made from photos."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.evaluation.metrics import agreement

CLEAR_GAIN = 0.5  # points of 1..10 from which an improvement counts as clear
CLEAR_STEP = 0.3  # and from which one version counts as worse than another
HUMAN = {"live_challenge": r"live", "tid2013": r"tid-[1-9].*"}
# VIEW/original, VIEW/KIND/restored or VIEW/KIND-STRENGTH/degraded
MADE = r"(?P<view>\w+)/(?P<kind>[a-z]+)(?:-(?P<strength>\d+))?(?:/(?P<version>\w+))?"


def report_agreement(
    scenes: npt.NDArray[np.str_],
    kinds: npt.NDArray[np.str_],
    held_out: npt.NDArray[np.bool_],
    truth: npt.NDArray[np.float32],
    predicted: npt.NDArray[np.float32],
) -> dict[str, Any]:
    """Compare scores with what people and the judge say.

    Args:
        scenes, kinds, held_out: (n,) of each example, as in ``Examples``.
        truth: (n,) scores 1..10 by people or judge.
        predicted: (n,) scores 1..10 by the network.

    Returns:
        Correlations with people per source and side. Of held-out scenes also, per degradation:
        the mean predicted and graded delta of restoration with the share of clear cases whose
        sign agrees; the share of clear steps that are ranked rightly between two strengths, and
        between what processing, good or clumsy, makes of one photo (degraded or not) and itself.
    """
    table = pd.DataFrame(
        {"scene": scenes, "name": kinds, "held_out": held_out, "truth": truth, "ours": predicted}
    )
    report: dict[str, Any] = {}
    for source, pattern in HUMAN.items():
        for side, mask in (("held_out", held_out), ("train", ~held_out)):
            rows = table[mask & table["name"].str.fullmatch(pattern)]
            if len(rows) > 2:
                figures = agreement(rows["ours"].to_numpy(), rows["truth"].to_numpy())
                report[f"{source}_{side}"] = figures
    made = table[held_out].reset_index(drop=True)
    parts = made["name"].str.extract(f"^{MADE}$")
    made = made.join(parts.fillna({"version": "", "strength": ""}))[parts["kind"].notna()]
    report["restoration_held_out"] = _restoration(made)
    photo = ["scene", "view", "kind"]
    report["strength_held_out"] = _steps(made[made["version"] == "degraded"], photo)
    report["processing_held_out"] = _steps(made, [*photo, "strength"])
    return report


def _restoration(made: pd.DataFrame) -> dict[str, Any]:
    keys = ["scene", "view", "kind", "strength"]
    before = made[made["version"].isin(["degraded", ""])]
    after = made[made["version"] == "restored"]
    pairs = before.merge(after, on=keys, suffixes=("_before", "_after"))
    pairs["true_delta"] = pairs["truth_after"] - pairs["truth_before"]
    pairs["delta"] = pairs["ours_after"] - pairs["ours_before"]
    return {
        str(kind): {
            "n": len(rows),
            "mean_delta": float(rows["delta"].mean()),
            "mean_true_delta": float(rows["true_delta"].mean()),
            "spearman": agreement(rows["delta"].to_numpy(), rows["true_delta"].to_numpy())[
                "spearman"
            ],
            **_clear(_agreement(rows["delta"], rows["true_delta"], CLEAR_GAIN)),
        }
        for kind, rows in pairs.groupby("kind")
    }


def _steps(made: pd.DataFrame, same: list[str]) -> dict[str, Any]:
    pairs = made.merge(made, on=same, suffixes=("_a", "_b"))
    pairs = pairs[pairs["name_a"] < pairs["name_b"]]
    return {
        str(kind): _clear(
            _agreement(
                rows["ours_a"] - rows["ours_b"], rows["truth_a"] - rows["truth_b"], CLEAR_STEP
            ),
        )
        for kind, rows in pairs.groupby("kind")
    }


def _agreement(ours: pd.Series, truth: pd.Series, clear: float) -> npt.NDArray[np.bool_]:
    chosen = truth.abs() >= clear
    return (ours[chosen] * truth[chosen] > 0).to_numpy()


def _clear(agreed: npt.NDArray[np.bool_]) -> dict[str, Any]:
    return {
        "clear_n": len(agreed),
        "clear_sign_agreement": float(agreed.mean()) if len(agreed) else None,
    }
