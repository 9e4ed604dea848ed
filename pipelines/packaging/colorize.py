"""Rebuild the packaged ``colorize`` enhancer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from export.tflite import convert_enhancer
from pipelines.data.json_records import to_builtins
from pipelines.data.lock import working_in
from pipelines.enhancers.learned.colorize import MODELS, ColorizeEnhancer
from pipelines.packaging.package import package
from pipelines.training.enhancers.colorize_network import (
    ColorBins,
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


@dataclass(frozen=True)
class ColorError:
    """How far predicted chroma is from the true chroma, in units of a* and b*; means over pixels.

    Attributes:
        photos: number of photos.
        error: distance of predicted from true chroma.
        chroma: length of the predicted chroma.
        true_chroma: length of the true chroma, which is the error of a gray photo.
        better_than_gray: share of photos with a smaller error than a gray photo.
    """

    photos: int
    error: float
    chroma: float
    true_chroma: float
    better_than_gray: float


@dataclass(frozen=True)
class ColorizeReport:
    """What the record of the packaged network holds.

    Attributes:
        bins: number of colour bins.
        parameters: number of parameters of the whole network.
        train_photos: number of photos trained on.
        quality: by side of the split.
    """

    bins: int
    parameters: int
    train_photos: int
    quality: dict[str, ColorError]


def measure(decoder: keras.Model, bins: ColorBins, views: Views) -> ColorError:
    """Measure the error of a decoder on views of held-out photos."""
    inside = [keras.Input(tap.shape[1:]) for tap in views.features]
    network = assemble(keras.Model(inside, inside), decoder, bins)
    features = [tap.astype(np.float32) for tap in views.features]
    chroma = network.predict(features, batch_size=16, verbose=0)
    true = views.chroma.astype(np.float32)

    def length(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.linalg.norm(vectors, axis=-1).mean((1, 2))

    error, gray = length(chroma - true), length(true)
    return ColorError(
        photos=len(true),
        error=float(error.mean()),
        chroma=float(length(chroma).mean()),
        true_chroma=float(gray.mean()),
        better_than_gray=float((error < gray).mean()),
    )


def card(report: ColorizeReport) -> str:
    """Write the model card from the measured figures."""
    rows = [
        f"| {side.replace('_', ' ')} | {entry.photos} | {entry.error:.1f} | "
        f"{entry.true_chroma:.1f} | {entry.chroma:.1f} | {100 * entry.better_than_gray:.0f} % |"
        for side, entry in report.quality.items()
    ]
    return f"""\
# colorize

Gives gray photos likely colours: MobileNetV2 (alpha 1.0, ImageNet, frozen, up to `block_15_add`) on
the lightness, squeezed into 256x256 pixels, and a decoder to {report.bins} bins of chroma in
64x64 pixels, trained with rare colours weighted up and read as annealed mean (Zhang, Isola & Efros,
ECCV 2016). {report.parameters:,} parameters. float16 TFLite, checked by sha256 on load
(`{NAME}.json`).

Trained by `{BUILT_BY}` on
{report.train_photos} colour photos, {VIEWS} views of each, for {EPOCHS} epochs. A fifth of the
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


def rebuild(data: Path, out: Path, *, show_progress: bool = False) -> list[Path]:
    """Train, convert and package.

    Returns:
        The file that was packaged.

    Raises:
        TriggerError: photos or weights are missing, or another process writes to the folder.
    """
    folder = out / NAME
    with working_in(folder):
        trunk = build_trunk(data / "weights" / "mobilenet_v2_1.0_notop_dequant.weights.h5")
        train, held_out = split_photos([data / "clean", data / "unlabeled"])
        learned = make_views(train, VIEWS, trunk, folder / "views", show_progress=show_progress)
        unseen = make_views(held_out, 1, trunk, folder / "held-out", show_progress=show_progress)
        bins = ColorBins(learned.chroma.astype(np.float32))
        decoder = _trained_decoder(folder, learned, unseen, bins, show_progress)
        network = assemble(trunk, decoder, bins)
        report = ColorizeReport(
            bins=len(bins.centers),
            parameters=network.count_params(),
            train_photos=learned.photos,
            quality={"held_out": measure(decoder, bins, unseen)},
        )
        file, text = folder / f"{NAME}.tflite", folder / f"{NAME}.md"
        write_atomically(file, convert_enhancer(network))
        write_atomically(text, card(report).encode())
        package(file, text, MODELS, VERSION, {**to_builtins(report), "trained_by": BUILT_BY})
    return [MODELS / file.name]


def _trained_decoder(
    folder: Path, learned: Views, unseen: Views, bins: ColorBins, show_progress: bool
) -> keras.Model:
    """The decoder, read from the folder if the same training has finished there."""
    keras.utils.set_random_seed(0)
    decoder = build_decoder(len(bins.centers))
    weights, done = folder / f"{NAME}.weights.h5", folder / "trained.json"
    # Weights without this record are unfinished, or of another training.
    facts = json.dumps({"photos": learned.photos, "bins": len(bins.centers), "epochs": EPOCHS})
    if done.exists() and done.read_text() == facts:
        decoder.load_weights(weights)
        return decoder
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
        show_progress=show_progress,
    )
    return decoder
