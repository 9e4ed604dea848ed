"""``python -m pipelines.training.enhancers.train NETWORK PHOTOS... --out DIR``: train a network to repair.

Writes ``NETWORK.weights.h5``, ``report.json``, ``log.csv`` and ``tensorboard/``. Of the photos,
which must be flawless, a fifth is held out (``pipelines.data.splits``); how many decibels the network
gains on them is logged after each epoch as ``val_gain``. Interrupted, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from pipelines.data.lock import working_in
from pipelines.data.pixels import Pixels
from pipelines.data.splits import is_held_out
from pipelines.degradation.model import BEST_QUALITY, KINDS, Factors, random_factors
from pipelines.enhancers.learned.restorer import first_repair, first_repair_version
from pipelines.training import loop as fitting
from pipelines.training.enhancers import networks
from pipelines.training.enhancers.patches import (
    Crops,
    DegradedCrops,
    Draw,
    PatchBatches,
    Repair,
    RepairedCrops,
)
from trigger.cli.app import reported
from trigger.cli.options import positive_number
from trigger.console.terminal import leave_out
from trigger.errors import DataError, ModelError, OptionError, PhotoError
from trigger.files import write_atomically
from trigger.photo import find_photos, photo_hash, read_photo, read_photo_bytes

Loss = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]
QUALITIES = (5, 90)
"""JPEG qualities that the blind deblocker learns, drawn evenly on a logarithmic scale."""
SAVED, SAVED_QUALITIES = 1 / 3, (75, 95)
"""Share of photos that are compressed besides, as cameras save them, and how much."""
LEAST_ERROR = 1e-4
"""Squared error below which :func:`log_error` hardly asks for less; a PSNR of 40 dB."""
HELD_OUT_PATCHES = 256
REPAIRED_CROPS = 8000
"""Of a training on what has been repaired already; 5.5 GB."""


def squared_error(target: keras.KerasTensor, output: keras.KerasTensor) -> keras.KerasTensor:
    """Per patch; targets as ``PatchBatches`` gives them."""
    return keras.ops.mean(keras.ops.square(output - target[..., :3]), axis=(1, 2, 3))


def log_error(target: keras.KerasTensor, output: keras.KerasTensor) -> keras.KerasTensor:
    """Logarithm of the squared error: PSNR itself, so that no strength of a fault rules."""
    return keras.ops.log(squared_error(target, output) + LEAST_ERROR)


def smooth_error(target: keras.KerasTensor, output: keras.KerasTensor) -> keras.KerasTensor:
    """Smooth absolute error of values on 0..255."""
    return keras.losses.huber(target[..., :3] * 255, output * 255)


def gain(target: keras.KerasTensor, output: keras.KerasTensor) -> keras.KerasTensor:
    """PSNR of the output minus PSNR of the input in dB, per patch, both up to 60."""
    before, after = (
        keras.ops.log10(squared_error(target, photo) + 1e-6)
        for photo in (target[..., 3:], keras.ops.clip(output, 0, 1))
    )
    return 10 * (before - after)


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        build: the network with fresh weights.
        loss: per patch.
        side: of the patches that it sees.
        target_side: of the part that it predicts.
        aligned: share of patches on the grid of JPEG.
        draw: factors of the degradation; None: JPEG of the one quality that is asked for.
        faults: these in words.
        one_quality: whether JPEG of one quality may be asked for.
        repair: what the network goes on from; None: from the degraded photo.
    """

    build: Callable[[], keras.Model]
    loss: Loss
    side: int = 96
    target_side: int = 96
    aligned: float = 0.5
    draw: Draw | None = None
    faults: str = ""
    one_quality: bool = True
    repair: Repair | None = None


def _jpeg(quality: int, rng: np.random.Generator) -> Factors:
    return Factors(jpeg_quality=quality)


def _any_jpeg(rng: np.random.Generator) -> Factors:
    return Factors(jpeg_quality=int(np.rint(np.exp(rng.uniform(*np.log(QUALITIES))))))


def _any_fault(rng: np.random.Generator) -> Factors:
    factors = random_factors(KINDS[rng.integers(len(KINDS))], rng)
    if factors.jpeg_quality is None and rng.random() < SAVED:
        return replace(factors, jpeg_quality=int(rng.integers(*SAVED_QUALITIES, endpoint=True)))
    return factors


RECIPES = {
    "arcnn": Recipe(networks.build_arcnn, squared_error),
    "fast-arcnn": Recipe(networks.build_fast_arcnn, squared_error),
    "blockcnn": Recipe(networks.build_blockcnn, smooth_error, 24, 8, aligned=1),
    "deblocker": Recipe(
        networks.build_deblocker,
        log_error,
        aligned=1,
        draw=_any_jpeg,
        faults="JPEG quality {} to {}".format(*QUALITIES),
    ),
    "restorer": Recipe(
        networks.build_restorer,
        log_error,
        draw=_any_fault,
        faults=f"{', '.join(KINDS)}, saved or not",
        one_quality=False,
        repair=first_repair,
    ),
}


def read_photos(paths: Sequence[Path], least: int) -> tuple[list[Pixels], list[Pixels]]:
    """Photos to train on and photos held out, in memory.

    Photos that cannot be read or have a side below ``least`` pixels are named and left out.

    Raises:
        DataError: nothing is left on one of the sides.
    """
    sides: tuple[list[Pixels], list[Pixels]] = ([], [])
    for path in tqdm(list(find_photos(paths)), "reading", unit="photo", disable=None):
        try:
            data = read_photo_bytes(path)
            pixels = read_photo(data, name=str(path)).pixels
        except PhotoError as error:
            leave_out(error)
            continue
        if min(pixels.shape[:2]) < least:
            leave_out(f"{path}: smaller than {least} pixels")
            continue
        sides[is_held_out(photo_hash(data))].append(pixels)
    train, held_out = sides
    if not train or not held_out:
        raise DataError(
            f"{len(train)} photos to train on and {len(held_out)} held out; training needs at "
            "least one of each: give more photos"
        )
    return train, held_out


def load_network(name: str, weights: Path) -> keras.Model:
    """A trained network.

    Args:
        name: of ``RECIPES``.
        weights: ``.weights.h5`` file that this command wrote.

    Raises:
        ModelError: the file is missing or of another network.
    """
    network = RECIPES[name].build()
    try:
        with warnings.catch_warnings():
            # Keras only warns where layers are missing, and goes on with fresh weights.
            warnings.simplefilter("error", UserWarning)
            network.load_weights(weights)
    except (OSError, ValueError, UserWarning) as error:
        raise ModelError(
            f"{weights}: does not hold weights of {name} ({error}); give a .weights.h5 file that "
            "this version of python -m pipelines.training.enhancers.train wrote"
        ) from error
    return network


def train(args: argparse.Namespace) -> None:
    """Train, save and report.

    Raises:
        TriggerError: photos, options or starting weights do not fit.
    """
    recipe = RECIPES[args.network]
    if args.quality is not None:
        if not recipe.one_quality:
            raise OptionError(f"{args.network} learns all faults; leave out --quality")
        draw: Draw = partial(_jpeg, args.quality)
        faults = f"JPEG quality {args.quality}"
    elif recipe.draw is not None:
        draw, faults = recipe.draw, recipe.faults
    else:
        raise OptionError(f"{args.network} learns one quality of JPEG; give it by --quality")
    if args.init:
        fitting.keep_start(args.out, "--init", args.init)
    keras.utils.set_random_seed(args.seed)
    with _policy(args.precision):
        network = load_network(args.network, args.init) if args.init else recipe.build()
    photos, held_out_photos = read_photos(args.photos, recipe.side)
    build = partial(
        PatchBatches,
        faults=faults,
        side=recipe.side,
        target_side=recipe.target_side,
        aligned=recipe.aligned,
        batch_size=args.batch_size,
    )
    crops = _crops(recipe.repair, photos, draw, REPAIRED_CROPS, args.seed)
    held_out_crops = _crops(recipe.repair, held_out_photos, draw, HELD_OUT_PATCHES, 0)
    batches = build(crops, steps=args.steps, seed=args.seed)
    held_out = build(held_out_crops, steps=-(-HELD_OUT_PATCHES // args.batch_size), seed=0)

    def finish() -> None:
        network.save_weights(args.out / f"{args.network}.weights.h5")
        stages = _stages(args.init.parent) if args.init else []
        stages.append(
            {
                "patches": args.epochs * args.steps * args.batch_size,
                "faults": faults,
                "repaired_crops": REPAIRED_CROPS if recipe.repair else None,
                "learning_rate": args.learning_rate,
                "precision": args.precision,
            }
        )
        report = {
            "network": args.network,
            "quality": args.quality,
            "parameters": network.count_params(),
            # Of a fresh network: one that is compiled with a loss of ours cannot be cloned.
            "multiply_adds_per_pixel": networks.multiply_adds(recipe.build()),
            "photos": {"train": len(photos), "held_out": len(held_out_photos)},
            "patches": sum(stage["patches"] for stage in stages),
            "patch_side": recipe.side,
            "stages": stages,
            "repaired_by": repaired_by(recipe),
            "held_out_gain_db": network.evaluate(held_out, verbose=0, return_dict=True)["gain"],
        }
        write_atomically(args.out / "report.json", json.dumps(report, indent=2).encode())
        print(json.dumps(report, indent=2))  # noqa: T201

    with working_in(args.out):
        fitting.fit(
            network,
            batches,
            loss=recipe.loss,
            metrics=[gain],
            learning_rate=args.learning_rate,
            epochs=args.epochs,
            out=args.out,
            finish=finish,
            held_out=held_out,
        )


def repaired_by(recipe: Recipe) -> str | None:
    """Version of what comes before the network."""
    return first_repair_version() if recipe.repair else None


def _crops(
    repair: Repair | None, photos: Sequence[Pixels], draw: Draw, count: int, seed: int
) -> Crops:
    """``count`` crops, or where nothing comes before the network, as many as are asked for."""
    if repair is None:
        return DegradedCrops(photos, draw)
    return RepairedCrops(photos, draw, repair, count, seed)


@contextmanager
def _policy(name: str) -> Iterator[None]:
    """What layers that are built meanwhile compute in."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _stages(folder: Path) -> list[dict[str, Any]]:
    """Of a training that has ended in this folder."""
    report = folder / "report.json"
    return list(json.loads(report.read_text())["stages"]) if report.is_file() else []


def _jpeg_quality(text: str) -> int:
    """Type of the option."""
    quality = positive_number(text)
    if quality > BEST_QUALITY:
        raise argparse.ArgumentTypeError(f"{text!r} is above {BEST_QUALITY}")
    return quality


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", choices=list(RECIPES))
    parser.add_argument("photos", type=Path, nargs="+", help="flawless photos, or folders of them")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights, logs, report")
    parser.add_argument(
        "--quality",
        type=_jpeg_quality,
        help=f"of JPEG, 1..{BEST_QUALITY}, the only one to be learned; arcnn, fast-arcnn and "
        "blockcnn need it, the deblocker learns all without it, the restorer more than JPEG",
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "mixed_bfloat16"),
        default="float32",
        help="of computing; bfloat16 takes about half the time on processors that have it "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--steps", type=positive_number, default=250, help="per epoch (default: %(default)s)"
    )
    parser.add_argument("--init", type=Path, metavar="FILE", help="go on from these .weights.h5")
    fitting.add_options(parser, epochs=40, seeded="patches, faults and starting weights")
    parser.set_defaults(batch_size=16, learning_rate=1e-3)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(reported(lambda: train(parse())))
