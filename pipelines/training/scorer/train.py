"""Train a quality scorer on photos that people rated."""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from pipelines.data.json_records import to_json
from pipelines.data.lock import working_in
from pipelines.models.record import read_record
from pipelines.scorers import mean_score
from pipelines.training import loop
from pipelines.training.batches import CROP_SIDE, PhotoBatches
from pipelines.training.networks import build_nima, predict_in_slices, save_whole, warm_start
from pipelines.training.options import Architecture, ScorerOptions
from pipelines.training.scorer.alexnet import build_alexnet_rank, rank_loss
from pipelines.training.scorer.build_examples import build_examples
from pipelines.training.scorer.example_table import ExampleTable, gather
from pipelines.training.scorer.losses import distribution, mean_error, opinion_loss
from pipelines.training.scorer.report import ExampleCounts, ScorerReport, make_report
from trigger.errors import OptionError
from trigger.files import write_atomically
from trigger.preprocessing import STANDARD

logger = logging.getLogger(__name__)

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Recipe:
    """How the network of an architecture is trained.

    Attributes:
        build: the network with fresh weights, for photos of that many pixels a side.
        loss: of targets and predictions.
        metric: logged with the loss.
        targets: (n,) scores and (n,) deviations to what the network predicts.
        trunk: default starting weights; None: it always starts from scratch.
    """

    build: Callable[[int], keras.Model]
    loss: Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]
    metric: str | Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]
    targets: Callable[[Values, Values], Values]
    trunk: str | None


def _distributions(scores: Values, deviations: Values) -> Values:
    return np.stack([distribution(*row) for row in zip(scores, deviations, strict=True)])


RECIPES: dict[Architecture, Recipe] = {
    "nima": Recipe(build_nima, opinion_loss, mean_error, _distributions, "imagenet"),
    "alexnet-rank": Recipe(
        build_alexnet_rank, rank_loss, "mae", lambda scores, _: scores[:, None], None
    ),
}


def train_scorer(
    tid: str | PathLike[str],
    out: str | PathLike[str],
    options: ScorerOptions | None = None,
    *,
    show_progress: bool = False,
) -> ScorerReport:
    """Train a scorer on TID2013, LIVE Challenge and degraded photos; a fold of scenes is held out.

    Writes ``ARCHITECTURE.keras``, ``report.json``, ``log.csv`` and ``tensorboard/``. An interrupted
    training resumes where it stopped.

    Args:
        tid: folder of TID2013: originals and scores, see :mod:`pipelines.opinions.tid2013`.
        out: folder for the results; made if it does not exist.
        options: further photos, network and schedule.
        show_progress: print a line per epoch, and draw progress bars on stderr if that is a
            terminal.

    Returns:
        What ``report.json`` holds.

    Raises:
        DataError: opinions or photos are missing.
        ModelError: the starting weights cannot be read, or are of another network.
        OptionError: the starting weights are in ``out`` or have seen other scenes, or ``out``
            holds another training that was interrupted.

    Example:
        >>> from pipelines.training import ScorerOptions, train_scorer
        >>> options = ScorerOptions(architecture="alexnet-rank", epochs=8)
        >>> report = train_scorer("rated/tid2013", "scorer", options)  # doctest: +SKIP
        >>> report.tid2013_held_out.spearman  # doctest: +SKIP
        0.71
    """
    options = options or ScorerOptions()
    tid, out = Path(tid), Path(out)
    if options.init:
        _check_fold(options.init, options.fold)
        loop.check_start_outside(out, "--init", options.init)
    with working_in(out):
        return _train(tid, out, options, show_progress)


def _train(tid: Path, out: Path, options: ScorerOptions, show_progress: bool) -> ScorerReport:
    recipe = RECIPES[options.architecture]
    keras.utils.set_random_seed(options.seed)
    model, whole = recipe.build(CROP_SIDE), recipe.build(STANDARD.size)
    if recipe.trunk:
        warm_start(model, options.init or recipe.trunk)
    files = build_examples(
        options.live,
        tid,
        options.clean,
        options.examples or out / "examples",
        options.seed,
        show_progress=show_progress,
    )
    table = gather(files, out / "photos.npy", options.fold)
    train = np.flatnonzero(~table.held_out)
    report: list[ScorerReport] = []

    def finish() -> None:
        record = {"fold": str(options.fold)}
        save_whole(model, whole, out / f"{options.architecture}.keras", record)
        rows = np.flatnonzero(table.held_out | table.rated_by_people)
        predicted = score_both_ways(whole, table.photos, rows)
        report.append(
            make_report(
                _described(tid, out, options),
                ExampleCounts(len(train), int(table.held_out.sum())),
                table.scenes[rows],
                table.kinds[rows],
                table.held_out[rows],
                table.scores[rows],
                predicted,
            )
        )
        write_atomically(out / "report.json", to_json(report[0]))

    loop.fit(
        model,
        _batches(table, train, recipe, options),
        loss=recipe.loss,
        metrics=[recipe.metric],
        learning_rate=options.learning_rate,
        epochs=options.epochs,
        out=out,
        finish=finish,
        show_progress=show_progress,
    )
    (out / "photos.npy").unlink()
    return report[0]


def _check_fold(init: str, fold: int) -> None:
    """Refuse starting weights that were trained on scenes that are held out here."""
    if not init.endswith(".keras"):
        return
    held_out = read_record(Path(init)).get("fold", "0")
    if held_out != str(fold):
        raise OptionError(
            f"{init} held out fold {held_out}, so it has seen scenes of fold {fold}; give "
            f"--fold {held_out}, or other weights to start from"
        )


def _batches(
    table: ExampleTable, rows: npt.NDArray[np.intp], recipe: Recipe, options: ScorerOptions
) -> PhotoBatches:
    """Batches in which versions of one photo by one degradation are neighbors."""
    families = [_family(table.scenes[row], table.kinds[row]) for row in rows]
    return PhotoBatches(
        table.photos,
        rows,
        recipe.targets(table.scores[rows], table.deviations[rows]),
        options.batch_size,
        options.seed,
        np.unique(families, return_inverse=True)[1],
        always_shown=table.rated_by_people[rows],
        sampled_share=options.graded_share,
        side=CROP_SIDE,
    )


def _family(scene: str, kind: str) -> str:
    """Name of the group that a photo is compared with: versions by one degradation."""
    view, _, version = kind.partition("/")
    if not version:  # rated by people: LIVE alone, TID2013 with the other levels of the type
        return f"{scene} {kind.rpartition('-')[0]}"
    return f"{scene} {view} {re.split('[-/]', version)[0]}"


def score_both_ways(
    model: keras.Model, photos: npt.NDArray[np.uint8], rows: npt.NDArray[np.intp]
) -> npt.NDArray[np.float32]:
    """Mean scores (n,) of photos and their mirror images, as the packaged scorer computes them."""
    sides = (photos, photos[:, :, ::-1])
    scores = [mean_score(predict_in_slices(model, side, rows)) for side in sides]
    return np.mean(scores, axis=0)


def _described(tid: Path, out: Path, options: ScorerOptions) -> dict[str, str]:
    """All options as text, for the report."""
    values = {"tid": tid, "out": out}
    values |= {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    return {name: str(value) for name, value in values.items()}
