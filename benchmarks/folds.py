"""How well does the scorer do on scenes it has not seen, whichever they are? Five trainings.

``python benchmarks/folds.py DATA [--out build] [--folds 0 1 2 3 4]`` with DATA laid out as for
``trigger packaged rebuild``. Each training holds out another fifth of all scenes and is evaluated
on it. That of fold 0 is the packaged scorer's, and is taken from a folder that a rebuild has used.
An interrupted run resumes; a training takes about as long as in a rebuild. Only fold 0 is strictly
unseen: the enhancer whose output is among the examples was trained on scenes of the others, and
one photo of CQ100 shows the same as kodak15.png, in another fold.

Printed are Spearman's rank correlation with people per fold and its mean, and over all scenes
together the fraction of pairs of versions of one photo that are ranked correctly, where the
full-reference judge sees a clear difference.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipelines.data.splits import FOLDS
from pipelines.evaluation.records import Agreement
from pipelines.packaging.models import claim_models, nima_step
from pipelines.packaging.reports import read_quality
from pipelines.training.scorer.report import ClearCases, Restoration, ScorerReport
from trigger.cli.app import reported

SOURCES = {"LIVE Challenge": "live_challenge_held_out", "TID2013": "tid2013_held_out"}
ORDERS = {
    "mild above strong": "strength_held_out",
    "good above clumsy": "processing_held_out",
    "sign of delta": "restoration_held_out",
}


Cases = Mapping[str, ClearCases | Restoration]


def pooled(tables: Sequence[Cases]) -> dict[str, tuple[int, float]]:
    """Number of clear cases over folds and the fraction ranked correctly, per degradation."""
    found = {}
    for kind in dict.fromkeys(kind for table in tables for kind in table):
        cases = [table[kind] for table in tables if kind in table]
        n = sum(case.clear_n for case in cases)
        right = sum(case.clear_n * (case.clear_sign_agreement or 0) for case in cases)
        found[kind] = (n, right / n if n else float("nan"))
    return found


def main() -> int:
    """Train what is not there yet, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder laid out as for trigger packaged rebuild")
    parser.add_argument("--out", type=Path, default=Path("build"), help="default: build")
    parser.add_argument(
        "--folds", type=int, nargs="+", choices=range(FOLDS), default=list(range(FOLDS))
    )
    args = parser.parse_args()
    steps = [nima_step(args.data, args.out, fold, show_progress=True) for fold in args.folds]
    claim_models(args.data, args.out)
    for step in steps:
        step.run()
    reports = [read_quality(ScorerReport, step.result.parent) for step in steps]
    print("| people |", *(f"fold {fold} |" for fold in args.folds), "mean |")
    print("|---|", "---|" * (len(reports) + 1), sep="")
    for name, key in SOURCES.items():
        figures: list[Agreement] = [getattr(report, key) for report in reports]
        values = [entry.spearman or float("nan") for entry in figures]
        print(f"| {name} |", *(f"{value:.3f} |" for value in values), f"{np.mean(values):.3f} |")
    print("\n| order | degradation | clear | right |\n|---|---|---|---|")
    for name, key in ORDERS.items():
        for kind, (n, share) in pooled([getattr(report, key) for report in reports]).items():
            print(f"| {name} | {kind} | {n} | {share:.1%} |")
    return 0


if __name__ == "__main__":
    sys.exit(reported(main))
