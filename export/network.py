"""Load trained Keras networks, and identify their outputs.

One loader serves training, fine-tuning and export. Files are loaded with ``safe_mode=True``: code
stored in a ``.keras`` file is never run.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from trigger.errors import ModelError, OptionError
from trigger.interface import INPUT_SHAPE, OUTPUTS, Output


def load_network(path: Path) -> keras.Model:
    """Load a trained network from a ``.keras`` file, uncompiled.

    Returns:
        A model of photos (N, 448, 448, 3), raw 0..255, with one output of ``OUTPUTS``.

    Raises:
        ModelError: the file is missing, is not a ``.keras`` file, is damaged, needs code that
            is not Keras' own, or holds a network of another interface or without finite weights.
        OptionError: Keras runs on another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise OptionError(
            f"Keras runs on {keras.backend.backend()!r}; this needs 'tensorflow': "
            f"set the environment variable KERAS_BACKEND=tensorflow"
        )
    if not path.is_file():
        found = "is a directory" if path.is_dir() else "no such file"
        raise ModelError(f"{path}: {found}; give a .keras file written by trigger train")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise ModelError(
            f"{path}: not a .keras file (a zip archive named *.keras); give one that "
            f"trigger train or trigger finetune wrote"
        )
    try:
        network = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its parsers and layers raise
        raise ModelError(
            f"{path}: Keras cannot load it ({type(error).__name__}: {first_line(error)}); "
            f"the file is damaged or holds layers that are not Keras' own; train or copy it again"
        ) from error
    try:
        output_of(network)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    if not all(np.isfinite(weight).all() for weight in network.get_weights()):
        raise ModelError(
            f"{path}: has weights that are not finite; training diverged, so repeat it"
        )
    return network


def output_of(network: keras.Model) -> Output:
    """Return which known output a network has.

    Raises:
        ModelError: its inputs or outputs are not those of this project's networks.
    """
    allowed = " or ".join(f"{o.name!r} (N, {o.size})" for o in OUTPUTS.values())
    expected = (
        f"expected one input (N, {', '.join(map(str, INPUT_SHAPE[1:]))}) and output {allowed}"
    )
    inputs, outputs = getattr(network, "inputs", None), getattr(network, "outputs", None)
    if not inputs or not outputs:
        raise ModelError(f"the network was never built, so its input is unknown; {expected}")
    shapes = [tuple(tensor.shape) for tensor in inputs]
    if len(shapes) != 1 or shapes[0][0] not in (None, 1) or shapes[0][1:] != INPUT_SHAPE[1:]:
        raise ModelError(f"the network has input {shapes}; {expected}")
    names = list(network.output_names)
    if len(names) != 1 or names[0] not in OUTPUTS:
        raise ModelError(f"the network has output {names}; {expected}")
    output = OUTPUTS[names[0]]
    if tuple(outputs[0].shape[1:]) != (output.size,):
        raise ModelError(f"output {output.name!r} has shape {outputs[0].shape}; {expected}")
    return output


def kernel_values(network: keras.Model) -> int:
    """Return how many values a converted file must hold at least.

    Kernels survive conversion whole; biases and batch normalization, all one-dimensional, may
    be folded into each other.
    """
    return sum(math.prod(weight.shape) for weight in network.weights if len(weight.shape) > 1)


def score_photos(network: keras.Model, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Run the Keras network on photos (N, 448, 448, 3) uint8; returns (N, k) float32."""
    return np.asarray(network(images.astype(network.inputs[0].dtype), training=False))


def first_line(error: Exception) -> str:
    """First line of an error's message; Keras and TensorFlow add pages of context."""
    return next(iter(str(error).strip().splitlines()), "no message")
