"""``trigger train-scorer``: a scorer from photos that people rated."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from pipelines.data.disk_array import new_disk_array
from pipelines.data.lock import working_in
from pipelines.data.splits import FOLDS, is_held_out
from pipelines.models.record import read_record
from pipelines.opinions import live_challenge, tid2013
from pipelines.scorers import mean_score
from pipelines.training import loop as fitting
from pipelines.training.networks import build_nima, predict_in_slices, save_whole, warm_start
from pipelines.training.scorer.alexnet import build_alexnet_rank, rank_loss
from pipelines.training.scorer.examples import Examples, build_examples, count_examples, grade
from pipelines.training.scorer.judge import ReferenceJudge
from pipelines.training.scorer.losses import distribution, mean_error, opinion_loss
from pipelines.training.scorer.report import report_agreement
from trigger.cli.options import local_path, positive_float
from trigger.errors import DataError, OptionError
from trigger.files import write_atomically
from trigger.preprocessing import STANDARD

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ExampleTable:
    """All examples in one place; photos (n, 448, 448, 3) uint8, the rest (n,)."""

    photos: npt.NDArray[np.uint8]
    scenes: npt.NDArray[np.str_]
    kinds: npt.NDArray[np.str_]
    scores: npt.NDArray[np.float32]
    deviations: npt.NDArray[np.float32]
    held_out: npt.NDArray[np.bool_]


def gather(files: list[Path], cache: Path, fold: int = 0) -> ExampleTable:
    """Bring example files together and grade what only the judge can grade.

    The judge is fitted on TID2013 scenes that are not held out.

    Args:
        files: what :func:`~pipelines.training.scorer.examples.build_examples` wrote.
        cache: ``.npy`` file to write; photos are mapped from it, so that they need not fit in
            memory.
        fold: which fifth of the scenes is held out, 0..4.
    """
    counts = [count_examples(path) for path in files]
    shape = (sum(counts), STANDARD.size, STANDARD.size, 3)
    photos = new_disk_array(cache, np.uint8, shape)
    facts: list[Examples] = []
    for path, end in zip(files, np.cumsum(counts), strict=True):
        examples = Examples.load(path)
        photos[end - len(examples.kinds) : end] = examples.photos
        facts.append(replace(examples, photos=photos[:0]))
    photos.flush()
    rated = [e for e in facts if e.kinds[0].startswith("tid-") and not is_held_out(e.scene, fold)]
    if not rated:
        raise DataError(
            "all scenes of TID2013 are held out, so nothing is left to grade by; give --tid a "
            "mos.csv that scores more of kodak01.png to kodak24.png, with these beside it"
        )
    judge = ReferenceJudge().fit(
        np.concatenate([e.damage for e in rated]), np.concatenate([e.scores for e in rated])
    )
    scenes = np.array([e.scene for e in facts]).repeat(counts)
    return ExampleTable(
        np.load(cache, mmap_mode="r"),
        scenes,
        np.concatenate([e.kinds for e in facts]),
        np.concatenate([grade(e.scores, e.damage, judge) for e in facts]),
        np.concatenate([e.deviations for e in facts]),
        np.array([is_held_out(scene, fold) for scene in scenes]),
    )


@dataclass(frozen=True)
class Architecture:
    """A network that can be trained to score.

    Attributes:
        build: the network with fresh weights, for photos of that many pixels a side.
        loss: of targets and predictions.
        metric: what the log tells besides.
        targets: (n,) scores and (n,) deviations to what the network is to predict.
        trunk: starting weights unless others are given; None: it always starts from scratch.
    """

    build: Callable[[int], keras.Model]
    loss: Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]
    metric: str | Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]
    targets: Callable[[Values, Values], Values]
    trunk: str | None


def _distributions(scores: Values, deviations: Values) -> Values:
    return np.stack([distribution(*row) for row in zip(scores, deviations, strict=True)])


ARCHITECTURES = {
    "nima": Architecture(build_nima, opinion_loss, mean_error, _distributions, "imagenet"),
    "alexnet-rank": Architecture(
        build_alexnet_rank, rank_loss, "mae", lambda scores, _: scores[:, None], None
    ),
}


def _family(scene: str, kind: str) -> str:
    """What is to be compared in training: all that one degradation made of one photo."""
    view, _, version = kind.partition("/")
    if not version:  # a photo that people rated: LIVE by itself, TID2013 with its other levels
        return f"{scene} {kind.rpartition('-')[0]}"
    return f"{scene} {view} {re.split('[-/]', version)[0]}"


def score_both_ways(
    model: keras.Model, photos: npt.NDArray[np.uint8], rows: npt.NDArray[np.intp]
) -> npt.NDArray[np.float32]:
    """Mean scores (n,) of photos and their mirror images, as the packaged scorer gives them."""
    sides = (photos, photos[:, :, ::-1])
    scores = [mean_score(predict_in_slices(model, side, rows)) for side in sides]
    return np.mean(scores, axis=0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``trigger train-scorer``."""
    parser.description = (
        "Train a scorer on LIVE Challenge, re-made TID2013 and graded clean photos. A fifth of all "
        "scenes is held out. An interrupted training goes on where it stopped."
    )
    parser.epilog = (
        "example: trigger train-scorer --live rated/live_challenge --tid rated/tid2013 "
        "--clean clean --init mobilenet_v2_1.0.weights.h5 --out scorer"
    )
    parser.add_argument("--live", type=Path, help=f"LIVE Challenge: {live_challenge.LAYOUT}")
    parser.add_argument(
        "--tid",
        type=Path,
        required=True,
        help=f"TID2013: {tid2013.LAYOUT}; what people said of its distortions also grades what is "
        "made from the other photos",
    )
    parser.add_argument("--clean", type=Path, nargs="*", default=[], help="flawless photos")
    parser.add_argument(
        "--out", type=local_path, required=True, help="folder for model, logs, report"
    )
    parser.add_argument(
        "--examples",
        type=Path,
        metavar="FOLDER",
        help="where the examples lie or are to be built, to share them between trainings (default: "
        "OUT/examples)",
    )
    parser.add_argument(
        "--graded-share",
        type=positive_float,
        default=1.0,
        metavar="SHARE",
        help="of the photos that no person rated, how many an epoch shows, others each time; of "
        "rated ones it shows all (default: %(default)s)",
    )
    parser.add_argument(
        "--architecture",
        choices=list(ARCHITECTURES),
        default="nima",
        help="network and loss (default: %(default)s)",
    )
    parser.add_argument(
        "--init",
        help="starting weights of nima: imagenet (default), the .weights.h5 file of a MobileNetV2 "
        "of alpha 1.0, or a nima.keras, whose head is kept too",
    )
    parser.add_argument(
        "--fold",
        type=int,
        choices=range(FOLDS),
        default=0,
        help="which fifth of the scenes is held out; packaged scorers have not seen fold 0 "
        "(default: %(default)s); a .keras file for --init must have held out the same",
    )
    fitting.add_options(parser, epochs=8, seeded="examples, order, mirroring and squares")


def run(args: argparse.Namespace) -> int:
    """Build examples, train, evaluate; writes ``ARCHITECTURE.keras`` and ``report.json``."""
    architecture = ARCHITECTURES[args.architecture]
    if args.init and architecture.trunk is None:
        raise OptionError(f"{args.architecture} starts from scratch; leave out --init {args.init}")
    if args.graded_share > 1:
        raise OptionError(f"--graded-share must be at most 1, got {args.graded_share}")
    trained = bool(args.init) and args.init.endswith(".keras")
    if trained and (theirs := read_record(Path(args.init)).get("fold", "0")) != str(args.fold):
        raise OptionError(
            f"{args.init} held out fold {theirs}, so it has seen scenes of fold {args.fold}; give "
            f"--fold {theirs}, or other weights to start from"
        )
    if args.init:
        fitting.keep_start(args.out, "--init", args.init)
    with working_in(args.out):
        _train(architecture, args)
    return 0


def _train(architecture: Architecture, args: argparse.Namespace) -> None:
    keras.utils.set_random_seed(args.seed)
    model, whole = architecture.build(fitting.SIDE), architecture.build(STANDARD.size)
    if architecture.trunk:
        warm_start(model, args.init or architecture.trunk)
    examples = args.examples or args.out / "examples"
    files = build_examples(args.live, args.tid, args.clean, examples, args.seed)
    table = gather(files, args.out / "photos.npy", args.fold)
    train = np.flatnonzero(~table.held_out)
    targets = architecture.targets(table.scores[train], table.deviations[train])
    families = [_family(table.scenes[row], table.kinds[row]) for row in train]
    groups = np.unique(families, return_inverse=True)[1]
    rated = np.char.find(table.kinds, "/") < 0
    batches = fitting.PhotoBatches(
        table.photos,
        train,
        targets,
        args.batch_size,
        args.seed,
        groups,
        often=rated[train],
        share=args.graded_share,
        side=fitting.SIDE,
    )

    def finish() -> None:
        file = args.out / f"{args.architecture}.keras"
        save_whole(model, whole, file, {"fold": str(args.fold)})
        rows = np.flatnonzero(table.held_out | rated)
        predicted = score_both_ways(whole, table.photos, rows)
        report = {
            "options": {
                name: str(value) for name, value in vars(args).items() if name != "passed_on"
            },
            "examples": {"train": len(train), "held_out": int(table.held_out.sum())},
            **report_agreement(
                table.scenes[rows],
                table.kinds[rows],
                table.held_out[rows],
                table.scores[rows],
                predicted,
            ),
        }
        text = json.dumps(report, indent=2)
        write_atomically(args.out / "report.json", text.encode())
        print(text)  # noqa: T201

    fitting.fit(
        model,
        batches,
        loss=architecture.loss,
        metrics=[architecture.metric],
        learning_rate=args.learning_rate,
        epochs=args.epochs,
        out=args.out,
        finish=finish,
    )
    (args.out / "photos.npy").unlink()
