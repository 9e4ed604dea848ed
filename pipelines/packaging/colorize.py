"""Rebuild the packaged ``colorize`` enhancer:
``python -m pipelines.packaging.colorize DATA --out build``.

DATA is laid out as for :mod:`pipelines.packaging.rebuild`; interrupted, it goes on where it stopped.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from export.tflite import convert_enhancer
from pipelines.data.lock import working_in
from pipelines.enhancers.learned.colorize import MODELS, ColorizeEnhancer
from pipelines.packaging.package import package
from pipelines.packaging.rebuild import command_line
from pipelines.training.enhancers.colorize_network import (
    ColourBins,
    assemble,
    bin_loss,
    build_decoder,
    build_trunk,
)
from pipelines.training.enhancers.colorize_views import (
    VIEWS,
    ViewBatches,
    Views,
    make_views,
    split_photos,
)
from pipelines.training.loop import fit
from trigger.files import write_atomically

NAME, BUILT_BY = ColorizeEnhancer.name, ColorizeEnhancer.built_by
VERSION = "1"
EPOCHS = 5
BATCH_SIZE = 16
LEARNING_RATE = 2e-3


def quality(decoder: keras.Model, bins: ColourBins, views: Views) -> dict[str, float]:
    """How far from the true chroma the network is on views, and how colourful.

    Returns:
        Means over pixels, in units of a* and b*: ``error`` and ``chroma`` of the network,
        ``true_chroma``, which is the error of a gray photo; and ``better_than_gray``, the share of
        photos whose error is below that.
    """
    inside = [keras.Input(tap.shape[1:]) for tap in views.features]
    network = assemble(keras.Model(inside, inside), decoder, bins)
    features = [tap.astype(np.float32) for tap in views.features]
    chroma = network.predict(features, batch_size=16, verbose=0)
    true = views.chroma.astype(np.float32)

    def length(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.linalg.norm(vectors, axis=-1).mean((1, 2))

    error, gray = length(chroma - true), length(true)
    return {
        "photos": len(true),
        "error": float(error.mean()),
        "chroma": float(length(chroma).mean()),
        "true_chroma": float(gray.mean()),
        "better_than_gray": float((error < gray).mean()),
    }


def card(report: dict[str, Any]) -> str:
    """The model card, from what was measured."""
    rows = [
        f"| {side.replace('_', ' ')} | {entry['photos']:.0f} | {entry['error']:.1f} | "
        f"{entry['true_chroma']:.1f} | {entry['chroma']:.1f} | "
        f"{100 * entry['better_than_gray']:.0f} % |"
        for side, entry in report["quality"].items()
    ]
    return f"""\
# colorize

Gives gray photos likely colours: MobileNetV2 (alpha 1.0, ImageNet, frozen, up to `block_15_add`) on
the lightness, squeezed into 256x256 pixels, and a decoder to {report["bins"]} bins of chroma in
64x64 pixels, trained with rare colours weighted up and read as annealed mean (Zhang, Isola & Efros,
ECCV 2016). {report["parameters"]:,} parameters. float16 TFLite, checked by sha256 on load
(`{NAME}.json`).

Trained by `{BUILT_BY}` on
{report["train_photos"]} colour photos, {VIEWS} views of each, for {EPOCHS} epochs. A fifth of the
scenes was held out. Means over pixels in units of a* and b*; the true chroma is also the error of
the gray photo:

| photos | n | error | true chroma | predicted chroma | photos closer than gray |
|---|---|---|---|---|---|
{chr(10).join(rows)}

## Data

| set | licence |
|---|---|
| BSDS500 train + val | research |
| CQ100, Urban100/SunHays, wallpapers | CC BY-SA, Flickr CC, mixed |
| ordinary photos: cameras, phone photos of clothing and groceries, web | CC0, MIT, research |
| MobileNetV2 alpha 1.0 ImageNet weights | Apache-2.0 |

None of the photographs is part of this package.

## Not for

Evidence, archives, or anything where colours must be true: they are guesses, learned from few
photos, and often come in patches. Large things (sky, wood, fur) come out best; clothes and small
things often stay gray or get a wrong colour.
"""


def rebuild(data: Path, out: Path) -> None:
    """Train, convert and package.

    Raises:
        TriggerError: photos or weights are missing, or another process is at it.
    """
    folder = out / NAME
    with working_in(folder):
        _rebuild(data, folder)


def _rebuild(data: Path, folder: Path) -> None:
    trunk = build_trunk(data / "weights" / "mobilenet_v2_1.0_notop_dequant.weights.h5")
    train, held_out = split_photos([data / "clean", data / "unlabeled"])
    learned = make_views(train, VIEWS, trunk, folder / "views")
    unseen = make_views(held_out, 1, trunk, folder / "held-out")
    bins = ColourBins(learned.chroma.astype(np.float32))
    keras.utils.set_random_seed(0)
    decoder = build_decoder(len(bins.centres))
    weights, done = folder / f"{NAME}.weights.h5", folder / "trained.json"
    # What the weights were trained on; weights without it are unfinished, or of another training.
    facts = json.dumps({"photos": learned.photos, "bins": len(bins.centres), "epochs": EPOCHS})
    if done.exists() and done.read_text() == facts:
        decoder.load_weights(weights)
    else:
        done.unlink(missing_ok=True)

        def finish() -> None:
            decoder.save_weights(weights)
            write_atomically(done, facts.encode())

        fit(
            decoder,
            ViewBatches(learned, bins, BATCH_SIZE, seed=0),
            loss=bin_loss,
            metrics=[],
            learning_rate=LEARNING_RATE,
            epochs=EPOCHS,
            out=folder,
            finish=finish,
            held_out=ViewBatches(unseen, bins, BATCH_SIZE, seed=0),
        )
    network = assemble(trunk, decoder, bins)
    report = {
        "bins": len(bins.centres),
        "parameters": network.count_params(),
        "train_photos": learned.photos,
        "quality": {"held_out": quality(decoder, bins, unseen)},
    }
    file, text = folder / f"{NAME}.tflite", folder / f"{NAME}.md"
    write_atomically(file, convert_enhancer(network))
    write_atomically(text, card(report).encode())
    package(file, text, MODELS, VERSION, {**report, "trained_by": BUILT_BY})
    print(f"packaged: {file.name}")  # noqa: T201


if __name__ == "__main__":
    command_line(__doc__, rebuild)
