"""Convert the network of a training to an enhancer file."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Literal

from export.tflite import convert_enhancer
from pipelines.training.enhancers.recipes import load_trained
from trigger.files import write_atomically

FileNetwork = Literal["arcnn", "fast-arcnn"]


def export_enhancer(
    network: FileNetwork, weights: str | PathLike[str], out: str | PathLike[str]
) -> None:
    """Convert the weights of a training to a file that ``--enhancer FILE.tflite`` accepts.

    The file accepts photos of any size. Not the other networks: blockcnn sees single blocks, the
    deblocker needs the photo's JPEG grid, and the restorer the output of other repairs.

    Args:
        network: name of the network.
        weights: ``.weights.h5`` file of :func:`pipelines.training.train_enhancer`.
        out: TFLite file to write.

    Raises:
        ModelError: the weights are missing or of another network.

    Example:
        >>> export_enhancer("arcnn", "out/arcnn.weights.h5", "arcnn.tflite")  # doctest: +SKIP
    """
    write_atomically(Path(out), convert_enhancer(load_trained(network, Path(weights))))
