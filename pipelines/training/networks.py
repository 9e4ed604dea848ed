"""The networks of trigger and NIMA, on MobileNetV2 trunks (Sandler et al., arXiv:1801.04381).

* The *trigger* predicts delta: cut at ``block_16_project_BN`` (112 channels at alpha 0.35),
  global average pooling, Dense(1). 261,728 trunk and 113 head parameters.
* *NIMA* (Talebi & Milanfar, IEEE TIP 2018, doi:10.1109/TIP.2018.2831899) predicts the
  distribution of opinions 1..10: alpha 1.0, features of four depths, Dense(10), softmax. Shallow
  features respond to noise and compression, which the deepest layer has learned to ignore. Pooling
  keeps their mean and their standard deviation over the photo, since few faults are uniform.

Both take uint8 RGB (N, 448, 448, 3) and normalize inside. Batch normalization stays in inference
mode: it is folded into the starting weights, and batches are small.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from export.network import load_network
from pipelines.models.record import write_record
from trigger.errors import ModelError
from trigger.interface import DISTRIBUTION, IMPROVABILITY
from trigger.preprocessing import STANDARD

TAP = "block_16_project_BN"
NIMA_TAPS = ("block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu", "out_relu")
ALPHA = 0.35
NIMA_ALPHA = 1.0
EPSILON = 1e-4
"""Added to variances; bounds the gradient of the standard deviation."""
DROPOUT_RATE = 0.25
"""Of NIMA's features."""
HEAD_PARAMETERS = 113
SLICE = 256
"""Photos predicted at a time; 154 MB."""
PACKAGED_TRUNK = Path(__file__).parents[1] / "models" / "trunk.weights.h5"


def _mobilenet(alpha: float, side: int) -> tuple[keras.KerasTensor, keras.Model]:
    photo = keras.Input((side, side, 3), dtype="uint8", name="image")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(photo)
    body = keras.applications.MobileNetV2(
        alpha=alpha, include_top=False, weights=None, input_tensor=scaled
    )
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    return photo, body


def build_trigger(side: int = STANDARD.size) -> keras.Model:
    """Build the trigger network with fresh weights: uint8 (N, side, side, 3) to delta (N, 1).

    The head starts at zero: an untrained head predicts no gain.
    """
    photo, body = _mobilenet(ALPHA, side)
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(body.get_layer(TAP).output)
    head = keras.layers.Dense(1, kernel_initializer="zeros", name=IMPROVABILITY)
    return keras.Model(photo, head(pooled), name="trigger")


def build_nima(side: int = STANDARD.size) -> keras.Model:
    """Build NIMA with fresh weights: uint8 (N, side, side, 3) to (N, 10), rows sum to 1."""
    photo, body = _mobilenet(NIMA_ALPHA, side)
    maps = [body.get_layer(name).output for name in NIMA_TAPS]
    means = [keras.ops.mean(values, (1, 2)) for values in maps]
    deviations = [keras.ops.sqrt(keras.ops.var(values, (1, 2)) + EPSILON) for values in maps]
    features = keras.layers.Concatenate(name="features")(means + deviations)
    features = keras.layers.Dropout(DROPOUT_RATE, name="dropout")(features)
    head = keras.layers.Dense(10, activation="softmax", name=DISTRIBUTION)
    return keras.Model(photo, head(features), name="nima")


def warm_start(model: keras.Model, source: str) -> int:
    """Copy trunk weights into ``model``, and the head of a network of the same kind.

    Args:
        model: a network of this module; its head is left as it is if the source has no such head.
        source: ``imagenet`` (downloaded by Keras), ``packaged`` (the trunk shipped with this
            package), a ``.keras`` file of one of these networks, or a ``.weights.h5`` file of
            ``keras.applications.MobileNetV2(include_top=False, pooling="avg")``.

    Returns:
        The number of parameters copied.

    Raises:
        ModelError: the source is missing, unreadable, or does not cover the whole trunk.
    """
    alpha = NIMA_ALPHA if model.name == "nima" else ALPHA
    if source == "packaged":
        donor = cut_trunk(build_trigger())
        _load_weights(donor, PACKAGED_TRUNK)
    elif source == "imagenet":
        donor = _imagenet(alpha)
    elif source.endswith(".weights.h5"):
        donor = keras.applications.MobileNetV2(
            (224, 224, 3), alpha=alpha, include_top=False, pooling="avg", weights=None
        )
        _load_weights(donor, Path(source))
    else:
        donor = load_network(Path(source))
    given = {layer.name: layer for layer in donor.layers}
    copied = 0
    for layer in model.layers:
        donated = given.get(layer.name)
        head = layer.name in (IMPROVABILITY, DISTRIBUTION)
        if not layer.weights or (head and donated is None):
            continue
        if donated is None or [w.shape for w in donated.weights] != [
            w.shape for w in layer.weights
        ]:
            names = "'imagenet'" if model.name == "nima" else "'imagenet' or 'packaged'"
            raise ModelError(
                f"{source}: has no weights for layer {layer.name!r} of the {model.name} network; "
                f"give a MobileNetV2 of the same alpha, {alpha}, or {names}"
            )
        layer.set_weights(donated.get_weights())
        copied += int(sum(np.prod(w.shape) for w in layer.weights))
    return copied


def cut_trunk(model: keras.Model) -> keras.Model:
    """Take the trigger's trunk with pooling: uint8 (N, 448, 448, 3) to features (N, 112)."""
    return keras.Model(model.input, model.get_layer("pool").output, name="trunk")


def save_network(model: keras.Model, path: Path, record: Mapping[str, str]) -> None:
    """Write a ``.keras`` file and its record (unless empty) atomically."""
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.keras")
    try:
        model.save(temporary)
        if record:
            write_record(temporary, dict(record))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def save_whole(
    model: keras.Model, whole: keras.Model, path: Path, record: Mapping[str, str]
) -> None:
    """Copy the weights of a network trained on crops to that for whole photos, and save that."""
    whole.set_weights(model.get_weights())
    save_network(whole, path, record)


def predict_in_slices(
    model: keras.Model, photos: npt.NDArray[np.uint8], rows: npt.NDArray[np.intp] | None = None
) -> npt.NDArray[np.float32]:
    """Predict slice by slice in constant memory; ``model.predict`` would copy the whole array.

    Args:
        model: a network on photos.
        photos: (N, S, S, 3) uint8, best mapped from a file.
        rows: (n,) which of the photos, at least one; default: all.

    Returns:
        (n, ...) predictions.
    """
    chosen = np.arange(len(photos)) if rows is None else rows
    parts = (chosen[start : start + SLICE] for start in range(0, len(chosen), SLICE))
    return np.concatenate([model.predict(photos[part], batch_size=32, verbose=0) for part in parts])


def _imagenet(alpha: float) -> keras.Model:
    try:
        return keras.applications.MobileNetV2(
            (224, 224, 3), alpha=alpha, include_top=False, pooling="avg"
        )
    except Exception as error:  # a plain Exception, where there is no network
        raise ModelError(
            f"imagenet: the weights cannot be downloaded ({error}); give a .weights.h5 file"
        ) from error


def _load_weights(model: keras.Model, path: Path) -> None:
    if not path.is_file():
        raise ModelError(f"{path}: no such weight file; give a .weights.h5 file")
    try:
        model.load_weights(path)
    except Exception as error:
        raise ModelError(f"{path}: does not fit {model.name} ({error})") from error
