"""Train the network of an enhancer on patches of flawless photos."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from os import PathLike
from pathlib import Path

import keras

from pipelines.data.json_records import read_json, to_json
from pipelines.data.lock import working_in
from pipelines.data.pixels import Pixels
from pipelines.data.splits import is_held_out
from pipelines.training import loop
from pipelines.training.enhancers import networks
from pipelines.training.enhancers.losses import gain
from pipelines.training.enhancers.patches import (
    Crops,
    DegradedCrops,
    Draw,
    PatchBatches,
    RepairedCrops,
)
from pipelines.training.enhancers.recipes import RECIPES, Recipe, faults_of, load_trained
from pipelines.training.enhancers.report import EnhancerReport, PhotoCounts, Stage
from pipelines.training.options import EnhancerNetwork, EnhancerOptions
from trigger.console.progress import progress
from trigger.errors import DataError, PhotoError
from trigger.files import write_atomically
from trigger.photo import find_photos, photo_hash, read_photo, read_photo_bytes

logger = logging.getLogger(__name__)

HELD_OUT_PATCHES = 256
REPAIRED_CROPS = 8000
"""Crops that are enhanced in advance; they take 5.5 GB of memory."""


def train_enhancer(
    network: EnhancerNetwork,
    photos: Sequence[str | PathLike[str]],
    out: str | PathLike[str],
    options: EnhancerOptions | None = None,
    *,
    show_progress: bool = False,
) -> EnhancerReport:
    """Train a network to repair photos; a fifth of the photos is held out.

    Writes ``NETWORK.weights.h5``, ``report.json``, ``log.csv`` (with the gain in dB on held-out
    patches, ``val_gain``) and ``tensorboard/``. An interrupted training resumes where it stopped.

    Args:
        network: name of the network.
        photos: flawless photos, or folders of them.
        out: folder for the results; made if it does not exist.
        options: faults to learn, and schedule.
        show_progress: print a line per epoch, and draw progress bars on stderr if that is a
            terminal.

    Returns:
        What ``report.json`` holds.

    Raises:
        DataError: there are too few photos.
        ModelError: the starting weights cannot be read, or are of another network.
        OptionError: the options do not fit the network, the starting weights are in ``out``, or
            ``out`` holds another training that was interrupted.

    Example:
        >>> from pipelines.training import EnhancerOptions, train_enhancer
        >>> options = EnhancerOptions(quality=10, epochs=5)
        >>> report = train_enhancer("fast-arcnn", ["photos"], "out", options)  # doctest: +SKIP
        >>> report.held_out_gain_db  # doctest: +SKIP
        0.9
    """
    options = options or EnhancerOptions()
    out, recipe = Path(out), RECIPES[network]
    draw, faults = faults_of(network, options.quality)
    if options.init:
        loop.check_start_outside(out, "--init", options.init)
    keras.utils.set_random_seed(options.seed)
    with _computing_in(options.precision):
        model = load_trained(network, options.init) if options.init else recipe.build()
    train_photos, held_out_photos = read_photos(photos, recipe.side, show_progress=show_progress)
    crops = partial(_crops, recipe, draw=draw, show_progress=show_progress)
    batches = partial(
        PatchBatches,
        faults=faults,
        side=recipe.side,
        target_side=recipe.target_side,
        aligned=recipe.aligned,
        batch_size=options.batch_size,
    )
    held_out = batches(
        crops(held_out_photos, count=HELD_OUT_PATCHES, seed=0),
        steps=-(-HELD_OUT_PATCHES // options.batch_size),
        seed=0,
    )
    report: list[EnhancerReport] = []

    def finish() -> None:
        model.save_weights(out / f"{network}.weights.h5")
        gained = model.evaluate(held_out, verbose=0, return_dict=True)["gain"]
        counts = PhotoCounts(len(train_photos), len(held_out_photos))
        report.append(_report(network, model, options, faults, counts, gained))
        write_atomically(out / "report.json", to_json(report[0]))

    with working_in(out):
        loop.fit(
            model,
            batches(
                crops(train_photos, count=REPAIRED_CROPS, seed=options.seed),
                steps=options.steps,
                seed=options.seed,
            ),
            loss=recipe.loss,
            metrics=[gain],
            learning_rate=options.learning_rate,
            epochs=options.epochs,
            out=out,
            finish=finish,
            held_out=held_out,
            show_progress=show_progress,
        )
    return report[0]


def read_photos(
    paths: Sequence[str | PathLike[str]], min_side: int, *, show_progress: bool = False
) -> tuple[list[Pixels], list[Pixels]]:
    """Read photos into memory, split into those to train on and those held out.

    Photos that cannot be read or have a side below ``min_side`` pixels are skipped with a warning.

    Args:
        paths: photos, or folders of them.
        min_side: in pixels.
        show_progress: draw a progress bar on stderr if that is a terminal.

    Raises:
        DataError: no photo is left on one of the sides.
    """
    sides: tuple[list[Pixels], list[Pixels]] = ([], [])
    for path in progress(list(find_photos(paths)), "reading", shown=show_progress):
        try:
            data = read_photo_bytes(path)
            pixels = read_photo(data, name=str(path)).pixels
        except PhotoError as error:
            logger.warning("skipped %s", error)
            continue
        if min(pixels.shape[:2]) < min_side:
            logger.warning("skipped %s: smaller than %d pixels", path, min_side)
            continue
        sides[is_held_out(photo_hash(data))].append(pixels)
    train, held_out = sides
    if not train or not held_out:
        raise DataError(
            f"{len(train)} photos to train on and {len(held_out)} held out; training needs at "
            "least one of each: give more photos"
        )
    return train, held_out


def _crops(
    recipe: Recipe,
    photos: Sequence[Pixels],
    *,
    draw: Draw,
    count: int,
    seed: int,
    show_progress: bool,
) -> Crops:
    """``count`` crops enhanced in advance, or where nothing comes before the network, endless."""
    if recipe.repair is None:
        return DegradedCrops(photos, draw)
    return RepairedCrops(photos, draw, recipe.repair, count, seed, show_progress=show_progress)


@contextmanager
def _computing_in(precision: str) -> Iterator[None]:
    """Layers that are built in this context compute in that precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _report(
    network: EnhancerNetwork,
    model: keras.Model,
    options: EnhancerOptions,
    faults: str,
    photos: PhotoCounts,
    gained: float,
) -> EnhancerReport:
    recipe = RECIPES[network]
    stages = [
        *(_stages_before(options.init) if options.init else []),
        Stage(
            options.epochs * options.steps * options.batch_size,
            faults,
            REPAIRED_CROPS if recipe.repair else None,
            options.learning_rate,
            options.precision,
        ),
    ]
    return EnhancerReport(
        network=network,
        quality=options.quality,
        parameters=model.count_params(),
        # Of a fresh network: Keras cannot clone one compiled with a loss of ours.
        multiply_adds_per_pixel=networks.multiply_adds(recipe.build()),
        photos=photos,
        patches=sum(stage.patches for stage in stages),
        patch_side=recipe.side,
        stages=stages,
        repaired_by=recipe.repaired_by,
        held_out_gain_db=gained,
    )


def _stages_before(weights: Path) -> list[Stage]:
    """Stages of the training that wrote the starting weights, if its report is there."""
    report = weights.parent / "report.json"
    if not report.is_file():
        return []
    return list(read_json(EnhancerReport, report).stages or [])
