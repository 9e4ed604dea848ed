"""Colorization network: a classifier of color bins on a frozen ImageNet trunk.

After Zhang, Isola & Efros, "Colorful Image Colorization", ECCV 2016, arXiv:1603.08511: chroma is
quantized into bins, rare colors weigh more in training, and the output is the annealed mean. Unlike
there, the features are those of MobileNetV2 (alpha 1.0) on the gray photo, up to ``block_15_add``;
only a small decoder is trained.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt

from pipelines.enhancers.learned.chroma import SIDE
from trigger.errors import ModelError

TAPS = ("block_2_add", "block_5_add", "block_12_add", "block_15_add")
"""Layers of the trunk that the decoder sees: 64x64x24, 32x32x32, 16x16x96 and 8x8x160 values."""
STEP = 16
"""Side of a bin in units of a* and b*."""
LIMIT = 112
"""Largest a* or b* of the center of a bin; beyond sRGB."""
BINS_ACROSS = 2 * LIMIT // STEP + 1
TEMPERATURE = 0.6
"""Of the annealed mean: 1 gives the mean of all bins, 0 the most likely (section 2.3)."""
REBALANCING = 0.5
"""Share of the weight of rare colors that is undone in the output: 0 gives patches of wild
colors, 1 hardly any color."""
UNIFORM = 0.5
"""Share of the uniform distribution in the one that determines weights (section 2.2)."""
SIGMA = 5.0
"""Smoothing of that distribution, in units of a* and b*."""
KEPT_SHARE = 1e-4
"""Bins with a smaller share of all pixels are left out."""

Values = npt.NDArray[np.float32]


class ColorBins:
    """The bins of chroma that occur in photos.

    Attributes:
        centers: (Q, 2) float32, a* and b*.
        weights: (Q,) float32 weights in the loss; their mean over pixels is 1.
    """

    def __init__(self, chroma: Values) -> None:
        """Find bins and weights of chroma (..., 2)."""
        side = BINS_ACROSS
        axis = np.arange(-LIMIT, LIMIT + 1, STEP, dtype=np.float32)
        grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
        self._row_of = np.arange(side * side)  # all bins, for now
        # Histogram of chroma, in parts to bound the memory.
        share = np.zeros(side * side)
        for part in np.array_split(chroma.reshape(-1, 2), max(1, chroma.size // 2**20)):
            rows, parts = self._corners(part)
            share += np.bincount(rows.ravel(), parts.ravel(), side * side)
        share /= share.sum()
        # Smooth it, keep the bins that occur, and weigh them by the inverse of their frequency.
        smooth = cv2.GaussianBlur(share.reshape(side, side), (0, 0), SIGMA / STEP).ravel()
        kept = np.flatnonzero(share >= KEPT_SHARE)
        self.centers = grid[kept]
        self._row_of = np.full(side * side, -1)
        self._row_of[kept] = np.arange(len(kept))
        weights = 1 / ((1 - UNIFORM) * smooth[kept] + UNIFORM / len(kept))
        self.weights = (weights / (weights * share[kept]).sum()).astype(np.float32)

    def targets(self, chroma: Values) -> Values:
        """Soft labels (..., Q) of chroma (..., 2), times the weight of the most likely bin.

        Each value is distributed over the four bins around it by bilinear interpolation. Shares of
        bins that do not occur are dropped, so that such a pixel weighs less.
        """
        rows, parts = self._corners(chroma.reshape(-1, 2))
        dense = np.zeros((len(rows), len(self.centers) + 1), np.float32)
        for corner in range(4):  # the last column collects bins that do not occur
            dense[np.arange(len(rows)), rows[:, corner]] += parts[:, corner]
        dense = dense[:, :-1]
        dense *= self.weights[dense.argmax(1)][:, None]
        return dense.reshape(*chroma.shape[:-1], -1)

    def _corners(self, chroma: Values) -> tuple[npt.NDArray[np.intp], Values]:
        """The four bins around each value and their shares, both (n, 4)."""
        side = BINS_ACROSS
        # Position on the grid of bins: cell of the lower corner, and distance from it, 0..1.
        place = ((chroma + LIMIT) / STEP).clip(0, side - 1)
        low = np.minimum(place.astype(int), side - 2)
        high = place - low
        # Bilinear weights of the four corners, and their numbers in the flattened grid.
        shares = [
            (high if up else 1 - high)[:, 0] * (high if right else 1 - high)[:, 1]
            for up in (0, 1)
            for right in (0, 1)
        ]
        cells = [(low[:, 0] + up) * side + low[:, 1] + right for up in (0, 1) for right in (0, 1)]
        return self._row_of[np.stack(cells, 1)], np.stack(shares, 1).astype(np.float32)


def build_trunk(weights: Path) -> keras.Model:
    """Frozen MobileNetV2: uint8 L* (N, 256, 256, 1) to the outputs of ``TAPS``.

    Args:
        weights: ``.weights.h5`` of ``keras.applications.MobileNetV2(alpha=1.0,
            include_top=False, pooling="avg")``.

    Raises:
        ModelError: the file is missing or of another network.
    """
    body = keras.applications.MobileNetV2(
        (SIDE, SIDE, 3), include_top=False, pooling="avg", weights=None
    )
    try:
        body.load_weights(weights)
    except Exception as error:  # Keras and HDF5 raise whatever they like
        raise ModelError(
            f"{weights}: no weights of MobileNetV2 (alpha 1.0, without top): {error}"
        ) from error
    reader = keras.Model(body.input, [body.get_layer(tap).output for tap in TAPS])
    lightness = keras.Input((SIDE, SIDE, 1), dtype="uint8", name="lightness")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(lightness)
    trunk = keras.Model(lightness, reader(keras.layers.Concatenate()([scaled] * 3)), name="trunk")
    trunk.trainable = False
    return trunk


def build_decoder(bins: int) -> keras.Model:
    """Decoder: outputs of ``TAPS`` to logits of color bins (N, 64, 64, bins)."""
    shapes = ((64, 64, 24), (32, 32, 32), (16, 16, 96), (8, 8, 160))
    inputs = [keras.Input(shape) for shape in shapes]
    fine, middle, coarse, deep = inputs
    scene = keras.layers.GlobalAveragePooling2D(keepdims=True)(deep)
    scene = keras.layers.Dropout(0.3)(keras.layers.Dense(64, "relu")(scene))
    x = keras.layers.Concatenate()([deep, keras.layers.UpSampling2D(8)(scene)])
    x = keras.layers.SpatialDropout2D(0.1)(_unit(x, 96))
    for skip, channels in ((coarse, 80), (middle, 64), (fine, 32)):
        x = keras.layers.UpSampling2D(2, interpolation="bilinear")(x)
        x = _unit(keras.layers.Concatenate()([x, skip]), channels)
    return keras.Model(inputs, keras.layers.Conv2D(bins, 1)(x), name="decoder")


def _unit(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    for size in (1, 3):
        x = keras.layers.Conv2D(channels, size, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.97)(x))
    return x


def bin_loss(targets: keras.KerasTensor, scores: keras.KerasTensor) -> keras.KerasTensor:
    """Weighted cross-entropy (N, H, W) of soft labels and logits (N, H, W, Q)."""
    return -keras.ops.sum(targets * keras.ops.log_softmax(scores), axis=-1)


def assemble(trunk: keras.Model, decoder: keras.Model, bins: ColorBins) -> keras.Model:
    """Join trunk and decoder: uint8 L* (N, 256, 256, 1) to chroma (N, 64, 64, 2)."""
    # Undo part of the weights of rare colors, sharpen by the temperature, and take the mean.
    scores = decoder(trunk.outputs)
    offset = -REBALANCING / TEMPERATURE * np.log(bins.weights)
    annealed = keras.layers.Rescaling(1 / TEMPERATURE, offset=offset.tolist())(scores)
    mean = keras.layers.Conv2D(2, 1, use_bias=False, name="chroma")
    chroma = mean(keras.layers.Softmax()(annealed))
    mean.set_weights([bins.centers[None, None]])
    return keras.Model(trunk.input, chroma, name="colorize")
