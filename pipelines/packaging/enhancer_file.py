"""A trained network as an enhancer file:
``python -m pipelines.packaging.enhancer_file NETWORK FILE.weights.h5 FILE.tflite``.

The file takes photos of any size, so that ``--enhancer FILE.tflite`` takes it: all but blockcnn,
which sees single blocks, the deblocker, which must be laid on the photo's grid, and the restorer,
which goes over what others have repaired.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from pipelines.training.enhancers.train import load_network
from trigger.cli.app import reported
from trigger.files import write_atomically

NETWORKS = ("arcnn", "fast-arcnn")


def to_tflite(network: keras.Model) -> bytes:
    """Convert, with weights in float16; processors that compute in halves may do so.

    Args:
        network: of one input, (1, height, width, channels), and one output.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Not a bare tf.Module, which does not track the variables of Keras 3.
        archive = keras.export.ExportArchive()
        archive.track(network)
        archive.add_endpoint(
            "serving_default",
            lambda photo: network(photo, training=False),
            [tf.TensorSpec([1, *network.input.shape[1:]], network.input.dtype, "photo")],
        )
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
        return bytes(converter.convert())


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and convert."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("weights", type=Path)
    parser.add_argument("target", type=Path)
    args = parser.parse_args(arguments)
    return reported(lambda: _convert(args))


def _convert(args: argparse.Namespace) -> None:
    write_atomically(args.target, to_tflite(load_network(args.network, args.weights)))
    sys.stderr.write(f"wrote {args.target}\n")


if __name__ == "__main__":
    sys.exit(main())
