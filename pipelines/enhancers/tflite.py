"""A network that was trained to repair, as a TFLite file that takes photos of any size."""

from __future__ import annotations

import tempfile

import keras
import tensorflow as tf


def to_tflite(network: keras.Model) -> bytes:
    """Convert, with weights in float16 and arithmetic in float32.

    Args:
        network: takes and gives float32 (1, height, width, 3).
    """
    with tempfile.TemporaryDirectory() as folder:
        # Not a bare tf.Module, which does not track the variables of Keras 3.
        archive = keras.export.ExportArchive()
        archive.track(network)
        archive.add_endpoint(
            "serving_default",
            lambda photo: network(photo, training=False),
            [tf.TensorSpec([1, *network.input.shape[1:]], tf.float32, "photo")],
        )
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
        return bytes(converter.convert())
