"""``trigger train-scorer``: NIMA from photos that people rated."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from scipy.stats import pearsonr, spearmanr

from pipelines import fitting
from pipelines.networks import build_nima, warm_start
from pipelines.reference import ReferenceJudge
from pipelines.scorers import mean_score
from pipelines.scorers.examples import Examples, build_examples, grade
from pipelines.scorers.opinions import distribution, mean_error, opinion_loss
from pipelines.splits import is_held_out
from trigger.errors import OptionError
from trigger.files import write_atomically

CLEAR_GAIN = 0.5  # points of 1..10 from which an improvement counts as clear


@dataclass(frozen=True)
class ExampleTable:
    """All examples in one place; photos (n, 448, 448, 3) uint8, the rest (n,)."""

    photos: npt.NDArray[np.uint8]
    scenes: npt.NDArray[np.str_]
    kinds: npt.NDArray[np.str_]
    scores: npt.NDArray[np.float32]
    deviations: npt.NDArray[np.float32]
    held_out: npt.NDArray[np.bool_]


def gather(files: list[Path]) -> ExampleTable:
    """Load example files, grade what only the judge can grade, and concatenate.

    The judge is fitted on TID2013 scenes that are not held out.
    """
    examples = [Examples.load(path) for path in files]
    rated = [e for e in examples if e.kinds[0].startswith("tid-") and not is_held_out(e.scene)]
    if any(np.isnan(e.scores).any() for e in examples):
        if not rated:
            raise OptionError("--clean photos can be graded only with --tid; give that too")
        judge = ReferenceJudge().fit(
            np.concatenate([e.damage for e in rated]), np.concatenate([e.scores for e in rated])
        )
        examples = grade(examples, judge)
    scenes = np.array([e.scene for e in examples]).repeat([len(e.kinds) for e in examples])
    photos = np.empty((len(scenes), *examples[0].photos.shape[1:]), np.uint8)
    np.concatenate([e.photos for e in examples], out=photos)
    return ExampleTable(
        photos,
        scenes,
        np.concatenate([e.kinds for e in examples]),
        np.concatenate([e.scores for e in examples]),
        np.concatenate([e.deviations for e in examples]),
        np.array([is_held_out(scene) for scene in scenes]),
    )


def evaluate(predicted: npt.NDArray[np.float32], table: ExampleTable) -> dict[str, Any]:
    """Agreement with people and with the judge on held-out scenes.

    Args:
        predicted: (n,) mean scores, 1..10, for every example of the table.
        table: the examples.

    Returns:
        Rank correlations per source, and for each degradation the mean predicted and graded
        delta of restoration with the share of clear cases whose sign agrees.
    """
    report: dict[str, Any] = {}
    sources = {"live_challenge": "live", "tid2013": "tid-"}
    for name, prefix in sources.items():
        for side, mask in (("held_out", table.held_out), ("train", ~table.held_out)):
            rows = mask & np.char.startswith(table.kinds, prefix)
            if rows.sum() > 2:
                report[f"{name}_{side}"] = {
                    "n": int(rows.sum()),
                    "spearman": float(spearmanr(predicted[rows], table.scores[rows])[0]),
                    "pearson": float(pearsonr(predicted[rows], table.scores[rows])[0]),
                }
    report["restoration_held_out"] = _restoration(predicted, table)
    return report


def _family(scene: str, kind: str) -> str:
    """Versions of one photo with one degradation: degraded, restored, oversharp; or all levels."""
    if kind.endswith("/original") or "/" not in kind:
        return f"{scene} {kind.rpartition('-')[0] or kind}"
    return f"{scene} {kind.rpartition('/')[0]}"


def _restoration(predicted: npt.NDArray[np.float32], table: ExampleTable) -> dict[str, Any]:
    rows = {
        (scene, kind): row
        for row, (scene, kind) in enumerate(zip(table.scenes, table.kinds, strict=True))
        if table.held_out[row] and "/" in kind
    }
    deltas: dict[str, list[tuple[float, float]]] = {}
    for (scene, kind), row in rows.items():
        after = rows.get((scene, kind.replace("/degraded", "/restored")))
        if kind.endswith("/original"):
            after = rows.get((scene, f"{kind}/restored"))
        if after is None or not kind.endswith(("/degraded", "/original")):
            continue
        delta = (predicted[after] - predicted[row], table.scores[after] - table.scores[row])
        deltas.setdefault(kind.split("/")[1], []).append((float(delta[0]), float(delta[1])))
    report = {}
    for kind, pairs in sorted(deltas.items()):
        ours, truth = np.array(pairs).T
        clear = np.abs(truth) >= CLEAR_GAIN
        report[kind] = {
            "n": len(ours),
            "mean_delta": float(ours.mean()),
            "mean_true_delta": float(truth.mean()),
            "clear_n": int(clear.sum()),
            "clear_sign_agreement": float(np.mean(ours[clear] * truth[clear] > 0))
            if clear.any()
            else None,
        }
    return report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``trigger train-scorer``."""
    parser.description = (
        "Train the NIMA scorer on LIVE Challenge, re-made TID2013 and graded clean photos. A fifth "
        "of all scenes is held out. An interrupted training goes on where it stopped."
    )
    parser.epilog = (
        "example: trigger train-scorer --live rated/live_challenge --tid rated/tid2013 "
        "--clean clean --init mobilenet_v2_0.35.weights.h5 --out scorer"
    )
    parser.add_argument("--live", type=Path, help="LIVE Challenge: photos and mos.csv")
    parser.add_argument("--tid", type=Path, help="TID2013: kodakNN.png originals and mos.csv")
    parser.add_argument("--clean", type=Path, nargs="*", default=[], help="flawless photos")
    parser.add_argument("--out", type=Path, required=True, help="folder for model, logs, report")
    parser.add_argument(
        "--init", default="imagenet", help="starting weights: imagenet, packaged or a file"
    )
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=24)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> int:
    """Build examples, train, evaluate; writes ``nima.keras`` and ``report.json``."""
    if args.live is None and args.tid is None:
        raise OptionError("nothing to learn from: give --live, --tid or both")
    keras.utils.set_random_seed(args.seed)
    files = build_examples(args.live, args.tid, args.clean, args.out / "examples", args.seed)
    table = gather(files)
    train = np.flatnonzero(~table.held_out)
    targets = np.stack([distribution(table.scores[row], table.deviations[row]) for row in train])
    model = build_nima()
    warm_start(model, args.init)
    families = [_family(table.scenes[row], table.kinds[row]) for row in train]
    groups = np.unique(families, return_inverse=True)[1]
    batches = fitting.PhotoBatches(table.photos, train, targets, args.batch_size, args.seed, groups)
    fitting.fit(
        model,
        batches,
        loss=opinion_loss,
        metrics=[mean_error],
        learning_rate=args.learning_rate,
        epochs=args.epochs,
        out=args.out,
    )
    model.save(args.out / "nima.keras")
    predicted = mean_score(model.predict(table.photos, batch_size=32, verbose=2))
    report = {
        "options": {name: str(value) for name, value in vars(args).items() if name != "command"},
        "examples": {"train": len(train), "held_out": int(table.held_out.sum())},
        **evaluate(predicted, table),
    }
    text = json.dumps(report, indent=2)
    write_atomically(args.out / "report.json", text.encode())
    print(text)  # noqa: T201
    return 0
