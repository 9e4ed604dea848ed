"""Convert Keras networks to TFLite: triggers and scorers, and enhancers of any photo size.

Conversion goes through ``keras.export.ExportArchive``, which tracks the variables of a Keras 3
model; a bare ``tf.Module`` does not (see ``export.flatfile``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable

import keras
import tensorflow as tf

from export.flatfile import Precision, parse, serialize
from export.half import halve_weights
from export.network import first_line, output_of
from trigger.errors import ModelError
from trigger.interface import INPUT, INPUT_SHAPE, SIGNATURE

ENHANCER_SIGNATURE = "serving_default"


def convert(network: keras.Model, precision: Precision) -> bytes:
    """Convert a trigger or a scorer.

    Args:
        network: as ``export.network.load_network`` returns it.
        precision: of the large weights; arithmetic is float32 either way.

    Returns:
        A TFLite file with the signature ``score``: ``image`` uint8 (1, 448, 448, 3) to the
        network's output, float32 (1, k).

    Raises:
        ModelError: TFLite's built-in operations cannot express the network, or float16 cannot
            hold its weights.
    """
    name = output_of(network).name

    def score(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: network(tf.cast(image, network.inputs[0].dtype), training=False)}

    return _convert(network, score, tf.TensorSpec(INPUT_SHAPE, tf.uint8, INPUT), precision)


def convert_enhancer(network: keras.Model, precision: Precision = "float16") -> bytes:
    """Convert a network from a photo to a photo, or to what an enhancer needs of it.

    Args:
        network: of one input (1, height, width, channels), whose sides may be free (None), and
            one output.
        precision: of the large weights; arithmetic is float32 either way.

    Returns:
        A TFLite file with the signature ``serving_default`` and the input ``photo``.

    Raises:
        ModelError: as for ``convert``.
    """

    def enhance(photo: tf.Tensor) -> tf.Tensor:
        return network(photo, training=False)

    photo = tf.TensorSpec([1, *network.input.shape[1:]], network.input.dtype, "photo")
    return _convert(network, enhance, photo, precision, ENHANCER_SIGNATURE)


def _convert(
    network: keras.Model,
    function: Callable[[tf.Tensor], object],
    taken: tf.TensorSpec,
    precision: Precision,
    signature: str = SIGNATURE,
) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        archive = keras.export.ExportArchive()
        archive.track(network)
        archive.add_endpoint(signature, function, [taken])
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[signature])
        try:
            tflite = bytes(converter.convert())
        except Exception as error:  # ConverterError lives in a private module
            raise ModelError(
                f"the network cannot be converted to TFLite ({first_line(error)}); "
                f"use layers that TFLite's built-in operations can express"
            ) from error
    if precision == "float32":
        return tflite
    model = parse(tflite)
    halve_weights(model)
    return serialize(model)
