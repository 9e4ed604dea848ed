"""Networks that repair photos: three as published, two of our own.

All map float32 RGB in [0, 1] to the same (the restorer takes two photos, in six channels); the
caller clips the output. BlockCNN takes 24x24 pixels, all others any size, within the limits that
their builders name.

* ARCNN: Dong, Deng, Loy, Tang, "Compression artifacts reduction by a deep convolutional network",
  ICCV 2015, arXiv:1504.06993.
* Fast ARCNN: the same authors, arXiv:1608.02778: a 1x1 layer before the costly 7x7 one, and a
  stride of 2 that a transposed convolution undoes.
* BlockCNN: Maleki, Nadalian, Derakhshani, Sadeghi, "BlockCNN: a deep network for artifact removal
  and image compression", CVPR workshops 2018, arXiv:1805.11091. Layers as in the authors' code,
  whose wide kernels are square here, since a block is seen with all of its eight neighbors.
* Our own compute on the 8x8 discrete cosine transform of the photo: JPEG quantizes there, and one
  position covers 64 pixels, so that channels are cheap. The network predicts a gain and a shift of
  each coefficient (the restorer also a share of the previous changes), initialized to zero, so that
  it starts as the identity. Where blocks do not overlap, changes of a second grid, half a block to
  the right and down, are added, which reach across all block borders.

Their last layers compute in float32 under mixed precision too, as photos have finer steps than
bfloat16.
"""

from __future__ import annotations

import math

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from pipelines.data.pixels import FloatPhoto
from pipelines.enhancers.classical.shrinkage import BLOCK, DCT

JPEG_COLORS = np.array(
    [
        [0.299, 0.587, 0.114],
        [-0.168736, -0.331264, 0.5],
        [0.5, -0.418688, -0.081312],
    ]
)
"""RGB to YCbCr without offsets (ITU-T T.871)."""
MIN_SIGNAL = 0.03
"""Smallest standard deviation in the scaling: low-variance coefficients are not amplified."""


def build_arcnn() -> keras.Model:
    """ARCNN 9-7-1-5 on RGB: 117,731 parameters, 117,616 multiply-adds per pixel."""
    photo = keras.Input((None, None, 3))
    x = layers.Conv2D(64, 9, padding="same", activation="relu")(photo)
    x = layers.Conv2D(32, 7, padding="same", activation="relu")(x)
    x = layers.Conv2D(16, 1, activation="relu")(x)
    x = layers.Conv2D(3, 5, padding="same", dtype="float32")(x)
    return keras.Model(photo, x, name="arcnn")


def build_fast_arcnn() -> keras.Model:
    """Fast ARCNN 9-1-7-1-9 on RGB, even sides: 85,571 parameters."""
    photo = keras.Input((None, None, 3))
    x = layers.Conv2D(64, 9, strides=2, padding="same", activation="relu")(photo)
    x = layers.Conv2D(32, 1, activation="relu")(x)
    x = layers.Conv2D(32, 7, padding="same", activation="relu")(x)
    x = layers.Conv2D(64, 1, activation="relu")(x)
    x = layers.Conv2DTranspose(3, 9, strides=2, padding="same", dtype="float32")(x)
    return keras.Model(photo, x, name="fast-arcnn")


def build_blockcnn() -> keras.Model:
    """BlockCNN: a block with its neighbors, 24x24, to the block, 8x8."""
    photo = keras.Input((3 * BLOCK, 3 * BLOCK, 3))

    def normalized(
        x: keras.KerasTensor, channels: int, side: int, padding: str = "valid"
    ) -> keras.KerasTensor:
        x = layers.Conv2D(channels, side, padding=padding, use_bias=False)(x)
        return layers.BatchNormalization()(x)

    def convolution(
        x: keras.KerasTensor, channels: int, side: int, padding: str = "valid"
    ) -> keras.KerasTensor:
        return layers.LeakyReLU(0.1)(normalized(x, channels, side, padding))

    def bottleneck(x: keras.KerasTensor) -> keras.KerasTensor:
        channels = x.shape[-1]
        inner = convolution(convolution(x, channels, 1), channels, 3, "same")
        return layers.LeakyReLU(0.1)(layers.Add()([x, normalized(inner, channels, 1)]))

    x = bottleneck(bottleneck(convolution(photo, 64, 5)))
    x = bottleneck(convolution(x, 128, 5))
    x = bottleneck(bottleneck(convolution(x, 256, 5)))
    for channels in (512, 256, 128, 64):
        x = bottleneck(convolution(x, channels, 1))
    x = layers.Conv2D(3, 1, use_bias=False, activation="sigmoid", dtype="float32")(x)
    return keras.Model(
        photo, layers.Cropping2D((x.shape[1] - BLOCK) // 2, dtype="float32")(x), name="blockcnn"
    )


def build_deblocker() -> keras.Model:
    """JPEG deblocker on the photo's own 8x8 grid; sides are multiples of 8."""
    return _cosine_network("deblocker", BLOCK, 0.001, channels=128, residual_blocks=3)


def build_restorer() -> keras.Model:
    """Refine an enhanced photo: six channels, enhanced and degraded, to three.

    8x8 blocks overlap by half, as noise and blur have no grid.
    """
    return _cosine_network(
        "restorer", BLOCK // 2, 0.03, channels=64, residual_blocks=4, repaired=True
    )


def _cosine_network(
    name: str,
    stride: int,
    min_error: float,
    *,
    channels: int,
    residual_blocks: int,
    repaired: bool = False,
) -> keras.Model:
    """A residual network on blocks at every ``stride`` pixels.

    Args:
        name: of the network.
        stride: 8, or less for blocks that overlap.
        min_error: see ``_deviations``.
        channels: of its inner layers.
        residual_blocks: of two convolutions each.
        repaired: whether the input is two photos, of which the first is changed; the difference to
            the second has a gain of its own.
    """
    seen = keras.Input((None, None, 6 if repaired else 3))
    photo = seen[..., :3] if repaired else seen
    # The transforms are not trained: a step of Adam would be larger than most of their weights.
    transform = {"strides": stride, "padding": "same", "trainable": False}
    analysis = layers.Conv2D(3 * BLOCK**2, BLOCK, name="analysis", **transform)
    coefficients = analysis(photo)
    spectra = [coefficients]
    if repaired:
        spectra.append(layers.Subtract()([analysis(seen[..., 3:]), coefficients]))

    def synthesis(changes: keras.KerasTensor, part: str) -> keras.KerasTensor:
        return layers.Conv2DTranspose(3, BLOCK, use_bias=False, name=part, **transform)(changes)

    def convolution(x: keras.KerasTensor, start: str = "glorot_uniform") -> keras.KerasTensor:
        return layers.Conv2D(channels, 3, padding="same", kernel_initializer=start)(x)

    # Residual blocks on coefficients; the second convolution of each starts at zero.
    x = convolution(layers.Concatenate()(spectra) if repaired else coefficients)
    for _ in range(residual_blocks):
        inner = layers.LeakyReLU(0.1)(convolution(layers.LeakyReLU(0.1)(x)))
        x = layers.Add()([x, convolution(inner, "zeros")])
    x = layers.LeakyReLU(0.1)(x)

    def head(part: str) -> keras.KerasTensor:
        return layers.Conv2D(3 * BLOCK**2, 1, kernel_initializer="zeros", name=part)(x)

    # Changes of coefficients: gains and a shift, transformed back and added to the photo.
    scaled = [
        layers.Multiply()([spectrum, head(part)])
        for spectrum, part in zip(spectra, ("gain", "back"), strict=False)
    ]
    changes = layers.Add()([*scaled, head("shift")])
    parts = [photo, synthesis(changes, "synthesis")]
    # Changes of a second grid, half a block to the right and down.
    if stride == BLOCK:
        between = layers.Conv2D(
            3 * BLOCK**2, 2, padding="same", kernel_initializer="zeros", name="between"
        )(x)
        half = BLOCK // 2
        moved = layers.ZeroPadding2D(((half, 0), (half, 0)))(synthesis(between, "across"))
        parts.append(layers.Cropping2D(((0, half), (0, half)))(moved))
    network = keras.Model(seen, layers.Add(dtype="float32")(parts), name=name)
    # Analysis: scaled DCT of YCbCr around mid-gray. Synthesis: its inverse, in units of the error.
    overlap = (BLOCK // stride) ** 2
    signal, error = _deviations(min_error)
    forward = _cosine_kernel(JPEG_COLORS) / signal
    mid_gray = 0.5 * forward.sum(axis=(0, 1, 2))
    analysis.set_weights([forward, -mid_gray])
    backward = _cosine_kernel(np.linalg.inv(JPEG_COLORS).T) * error / overlap
    for layer in network.layers:
        if isinstance(layer, layers.Conv2DTranspose):
            layer.set_weights([backward])
    return network


def _cosine_kernel(colors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(8, 8, 3, 192): a mixture of RGB, then the orthonormal 2-D DCT."""
    return np.einsum("uy,vx,kc->yxckuv", DCT, DCT, colors).reshape(BLOCK, BLOCK, 3, -1)


def _deviations(min_error: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Approximate standard deviations of DCT coefficients and of their errors, (192,) each.

    They differ by a factor of a thousand; in these units all coefficients learn about equally fast.
    The curves fit measurements on BSDS500 photographs at JPEG qualities of 5 to 90.

    Args:
        min_error: lower bound of the errors; noise changes all coefficients alike.
    """
    frequency = np.add.outer(np.arange(BLOCK) ** 2, np.arange(BLOCK) ** 2)
    chroma = 0.5 / (1 + 10 * frequency)
    signal = np.stack([1.7 / (1 + 2.4 * frequency), chroma, chroma])
    chroma_error = 0.09 / (1 + 1.3 * frequency)
    error = np.stack([np.full_like(chroma, 0.04), chroma_error, chroma_error])
    return np.maximum(signal, MIN_SIGNAL).ravel(), np.maximum(error, min_error).ravel()


def repair(network: keras.Model, photo: FloatPhoto) -> FloatPhoto:
    """Run a whole photo through a network, with the 8x8 grid of JPEG in its corner.

    Args:
        network: one of this module.
        photo: (H, W, C) float32 in [0, 1]; about fifty times its size is needed in memory.

    Returns:
        (H, W, 3) float32; values may leave [0, 1] a little.
    """
    height, width = photo.shape[:2]
    side = network.input.shape[1]
    around = BLOCK if side else 0
    pad = [(around, around + -length % BLOCK) for length in (height, width)]
    padded = np.pad(photo, [*pad, (0, 0)], mode="symmetric")
    if not side:
        repaired = network.predict_on_batch(padded[None])[0]
        return np.asarray(repaired)[:height, :width]
    # BlockCNN: each 8x8 block from the 24x24 window around it.
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(0, 1))
    windows = windows[::BLOCK, ::BLOCK].transpose(0, 1, 3, 4, 2)
    rows = [network.predict_on_batch(np.ascontiguousarray(row)) for row in windows]
    blocks = np.stack([np.asarray(row) for row in rows])  # (rows, columns, 8, 8, 3)
    whole = blocks.transpose(0, 2, 1, 3, 4).reshape(len(rows) * BLOCK, -1, 3)
    return whole[:height, :width]


def multiply_adds(network: keras.Model, side: int = 48) -> float:
    """Count multiply-adds of all convolutions per output pixel, for a photo of ``side`` pixels.

    Those of a transposed convolution are counted per position of its input.
    """
    side = network.input.shape[1] or side
    sized = keras.models.clone_model(
        network, input_tensors=keras.Input((side, side, network.input.shape[-1]))
    )
    total = 0
    for layer in sized.layers:
        if isinstance(layer, layers.Conv2D | layers.Conv2DTranspose):
            transposed = isinstance(layer, layers.Conv2DTranspose)
            grid = (layer.input if transposed else layer.output).shape[1:3]
            times = len(layer._inbound_nodes)  # where one layer sees two photos
            total += times * math.prod(grid) * math.prod(layer.kernel.shape)
    return total / math.prod(sized.output.shape[1:3])
