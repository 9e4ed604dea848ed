"""Losses and the metric of enhancer networks; targets are those of ``PatchBatches``."""

from __future__ import annotations

import keras

MIN_ERROR = 1e-4
"""Squared error below which :func:`log_error` hardly asks for less; a PSNR of 40 dB."""


def squared_error(target: keras.KerasTensor, output: keras.KerasTensor) -> keras.KerasTensor:
    """Mean squared error per patch (N,), of targets (N, h, w, 6) and outputs (N, h, w, 3)."""
    return keras.ops.mean(keras.ops.square(output - target[..., :3]), axis=(1, 2, 3))


def log_error(target: keras.KerasTensor, output: keras.KerasTensor) -> keras.KerasTensor:
    """Logarithm of the squared error (N,): PSNR, so that weak and strong faults weigh the same."""
    return keras.ops.log(squared_error(target, output) + MIN_ERROR)


def smooth_error(target: keras.KerasTensor, output: keras.KerasTensor) -> keras.KerasTensor:
    """Huber loss of values on 0..255."""
    return keras.losses.huber(target[..., :3] * 255, output * 255)


def gain(target: keras.KerasTensor, output: keras.KerasTensor) -> keras.KerasTensor:
    """PSNR of the output minus PSNR of the input in dB, per patch (N,), both capped at 60."""
    before, after = (
        keras.ops.log10(squared_error(target, photo) + 1e-6)
        for photo in (target[..., 3:], keras.ops.clip(output, 0, 1))
    )
    return 10 * (before - after)
