"""The report of a scorer: agreement with people, and with the full-reference judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from msgspec import UNSET, UnsetType

from pipelines.evaluation.metrics import agreement
from pipelines.evaluation.records import Agreement

CLEAR_GAIN = 0.5
"""Points of 1..10 from which an improvement counts as clear."""
CLEAR_STEP = 0.3
"""Points of 1..10 from which one version counts as clearly worse than another."""
HUMAN = {"live_challenge": r"live", "tid2013": r"tid-[1-9].*"}
"""Patterns of the kinds of examples that people rated, by data set."""
MADE = r"(?P<view>\w+)/(?P<kind>[a-z]+)(?:-(?P<strength>\d+))?(?:/(?P<version>\w+))?"
"""Pattern of the kinds of all others: VIEW/original, VIEW/KIND/restored, VIEW/KIND-0/degraded."""


@dataclass(frozen=True)
class ExampleCounts:
    """How many examples were used for training, and how many were held out."""

    train: int
    held_out: int


@dataclass(frozen=True)
class ClearCases:
    """Pairs of versions of one photo between which the judge sees a clear difference.

    Attributes:
        clear_n: number of pairs.
        clear_sign_agreement: fraction that the scorer ranks correctly; None without pairs.
    """

    clear_n: int
    clear_sign_agreement: float | None


@dataclass(frozen=True)
class Restoration:
    """Deltas of restoring photos of one degradation.

    Attributes:
        n: number of photos.
        mean_delta: mean gain predicted by the scorer, in points of 1..10.
        mean_true_delta: mean gain according to the judge.
        spearman: rank correlation of the two; None where it is undefined.
        clear_n, clear_sign_agreement: as in :class:`ClearCases`.
    """

    n: int
    mean_delta: float
    mean_true_delta: float
    spearman: float | None
    clear_n: int
    clear_sign_agreement: float | None


@dataclass(frozen=True, kw_only=True)
class ScorerReport:
    """What ``report.json`` holds.

    Attributes:
        options: of the training, as text; unset in packaged records.
        examples: their numbers.
        live_challenge_held_out, live_challenge_train, tid2013_held_out, tid2013_train: correlation
            with people's mean opinions, by data set and side of the split; unset where there are
            fewer than three photos.
        restoration_held_out: deltas of restoration, by degradation.
        strength_held_out: pairs of two strengths of one degradation, by degradation.
        processing_held_out: pairs of untouched, restored and over-processed, by degradation.
    """

    options: dict[str, str] | UnsetType = UNSET
    examples: ExampleCounts
    live_challenge_held_out: Agreement | UnsetType = UNSET
    live_challenge_train: Agreement | UnsetType = UNSET
    tid2013_held_out: Agreement | UnsetType = UNSET
    tid2013_train: Agreement | UnsetType = UNSET
    restoration_held_out: dict[str, Restoration]
    strength_held_out: dict[str, ClearCases]
    processing_held_out: dict[str, ClearCases]

    def by_people(self) -> dict[tuple[str, str], Agreement]:
        """The correlations with people by data set and side, where there are any."""
        figures = {
            (source, side): getattr(self, f"{source}_{side}")
            for source in HUMAN
            for side in ("train", "held_out")
        }
        return {key: entry for key, entry in figures.items() if isinstance(entry, Agreement)}


def make_report(
    options: Mapping[str, str],
    examples: ExampleCounts,
    scenes: npt.NDArray[np.str_],
    kinds: npt.NDArray[np.str_],
    held_out: npt.NDArray[np.bool_],
    truth: npt.NDArray[np.float32],
    predicted: npt.NDArray[np.float32],
) -> ScorerReport:
    """Compare predicted scores with those of people and judge.

    Args:
        options: of the training.
        examples: numbers of examples.
        scenes, kinds, held_out: (n,) of each example, as in ``ExampleTable``.
        truth: (n,) scores 1..10 by people or judge.
        predicted: (n,) scores 1..10 by the network.
    """
    table = pd.DataFrame(
        {"scene": scenes, "name": kinds, "held_out": held_out, "truth": truth, "ours": predicted}
    )
    by_people: dict[str, Agreement] = {}
    for source, pattern in HUMAN.items():
        for side, mask in (("held_out", held_out), ("train", ~held_out)):
            rows = table[mask & table["name"].str.fullmatch(pattern)]
            if len(rows) > 2:
                figures = agreement(rows["ours"].to_numpy(), rows["truth"].to_numpy())
                by_people[f"{source}_{side}"] = figures
    made = table[held_out].reset_index(drop=True)
    parts = made["name"].str.extract(f"^{MADE}$")
    made = made.join(parts.fillna({"version": "", "strength": ""}))[parts["kind"].notna()]
    photo = ["scene", "view", "kind"]
    return ScorerReport(
        options=dict(options),
        examples=examples,
        restoration_held_out=_restoration(made),
        strength_held_out=_ranking(made[made["version"] == "degraded"], photo),
        processing_held_out=_ranking(made, [*photo, "strength"]),
        **by_people,
    )


def _restoration(made: pd.DataFrame) -> dict[str, Restoration]:
    keys = ["scene", "view", "kind", "strength"]
    before = made[made["version"].isin(["degraded", ""])]
    after = made[made["version"] == "restored"]
    pairs = before.merge(after, on=keys, suffixes=("_before", "_after"))
    pairs["true_delta"] = pairs["truth_after"] - pairs["truth_before"]
    pairs["delta"] = pairs["ours_after"] - pairs["ours_before"]
    report = {}
    for kind, rows in pairs.groupby("kind"):
        spearman = agreement(rows["delta"].to_numpy(), rows["true_delta"].to_numpy()).spearman
        clear = _clear_cases(rows["delta"], rows["true_delta"], CLEAR_GAIN)
        report[str(kind)] = Restoration(
            len(rows),
            float(rows["delta"].mean()),
            float(rows["true_delta"].mean()),
            spearman,
            clear.clear_n,
            clear.clear_sign_agreement,
        )
    return report


def _ranking(made: pd.DataFrame, same: list[str]) -> dict[str, ClearCases]:
    """Pairs of examples that agree in the columns ``same``, by degradation."""
    pairs = made.merge(made, on=same, suffixes=("_a", "_b"))
    pairs = pairs[pairs["name_a"] < pairs["name_b"]]
    return {
        str(kind): _clear_cases(
            rows["ours_a"] - rows["ours_b"], rows["truth_a"] - rows["truth_b"], CLEAR_STEP
        )
        for kind, rows in pairs.groupby("kind")
    }


def _clear_cases(ours: pd.Series, truth: pd.Series, clear: float) -> ClearCases:
    chosen = truth.abs() >= clear
    agreed = (ours[chosen] * truth[chosen] > 0).to_numpy()
    return ClearCases(len(agreed), float(agreed.mean()) if len(agreed) else None)
