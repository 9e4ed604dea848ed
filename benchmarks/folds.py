"""How well does the scorer do on scenes it has not seen, whichever they are? Five trainings.

``python benchmarks/folds.py DATA [--out build] [--folds 0 1 2 3 4]`` with DATA laid out as for
``python -m pipelines.packaging.rebuild``. Each training leaves out another fifth of all scenes, and is judged
on it. That of fold 0 is the packaged scorer's, and a folder that a rebuild has used gives it as it
is. An interrupted run goes on where it stopped; a training takes about as long as in a rebuild.
Only fold 0 is strictly unseen: the enhancer whose results are among the examples was trained on
scenes of the others, and one photo of CQ100 shows what kodak15.png does, in another fold.

Printed are Spearman's rank correlation with people per fold and its mean, and over all scenes
together how often versions of one photo are ranked rightly where the judge that knows the original
sees a clear step.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.data.splits import FOLDS
from pipelines.packaging.rebuild import claim, read_report, scorer_step
from trigger.cli.app import reported

SOURCES = {"LIVE Challenge": "live_challenge_held_out", "TID2013": "tid2013_held_out"}
ORDERS = {
    "mild above strong": "strength_held_out",
    "good above clumsy": "processing_held_out",
    "sign of delta": "restoration_held_out",
}


def pooled(tables: list[dict[str, Any]]) -> dict[str, tuple[int, float]]:
    """Clear cases and the share of them that is right, per degradation, over folds."""
    found = {}
    for kind in dict.fromkeys(kind for table in tables for kind in table):
        cases = [table[kind] for table in tables if kind in table and table[kind]["clear_n"]]
        n = sum(case["clear_n"] for case in cases)
        right = sum(case["clear_n"] * case["clear_sign_agreement"] for case in cases)
        found[kind] = (n, right / n if n else float("nan"))
    return found


def main() -> int:
    """Train what is not there yet, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "data", type=Path, help="folder laid out as pipelines.packaging.rebuild says"
    )
    parser.add_argument("--out", type=Path, default=Path("build"), help="default: build")
    parser.add_argument(
        "--folds", type=int, nargs="+", choices=range(FOLDS), default=list(range(FOLDS))
    )
    args = parser.parse_args()
    steps = [scorer_step(args.data, args.out, fold) for fold in args.folds]
    claim(args.data, args.out)
    for step in steps:
        step.run()
    reports = [read_report(step.result.parent) for step in steps]
    print("| people |", *(f"fold {fold} |" for fold in args.folds), "mean |")
    print("|---|", "---|" * (len(reports) + 1), sep="")
    for name, key in SOURCES.items():
        values = [report[key]["spearman"] for report in reports]
        print(f"| {name} |", *(f"{value:.3f} |" for value in values), f"{np.mean(values):.3f} |")
    print("\n| order | degradation | clear | right |\n|---|---|---|---|")
    for name, key in ORDERS.items():
        for kind, (n, share) in pooled([report[key] for report in reports]).items():
            print(f"| {name} | {kind} | {n} | {share:.1%} |")
    return 0


if __name__ == "__main__":
    sys.exit(reported(main))
