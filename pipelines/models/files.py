"""Load SavedModels, TF-Hub handles and TFLite files as functions on arrays.

A ``ModelFunction`` runs the model, describes its inputs and outputs, and has a name and a version
that are stable enough for labels. The caller knows what the numbers mean. SavedModels and TF-Hub
handles are programs: load only ones whose origin you trust. TFLite files are checked first (see
``trigger.model_check``).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trigger.errors import ModelError, OptionError
from trigger.litert import ThreadInterpreters, read_model_bytes
from trigger.model_check import checked_model

Array = npt.NDArray[Any]
SAVED_MODEL_FILE = "saved_model.pb"
SIGNATURE = "serving_default"
VERSION_DIGITS = 12
_HANDLE = re.compile(r"(https?|gs|s3)://")


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model.

    Attributes:
        name: in the model.
        shape: batch first; None for free sizes. Empty if the model does not state it.
        dtype: of its values.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        sides = ", ".join("any" if side is None else str(side) for side in self.shape)
        return f"{self.name!r} {self.dtype} [{sides}]"


@dataclass(frozen=True, eq=False)
class ModelFunction:
    """A loaded model of one input; safe to share between threads.

    Attributes:
        source: as it was asked for.
        name: file stem or last part of the handle; letters, digits, ``.``, ``_`` and ``-`` only.
        version: first 12 hexadecimal digits of the SHA-256 of the content.
        input: what it takes.
        outputs: what it gives, sorted by name, numbers by value ("Identity_9", "Identity_10").
    """

    source: str
    name: str
    version: str
    input: Tensor
    outputs: tuple[Tensor, ...]
    run: Callable[[Array], list[Array]]

    def __call__(self, batch: Array) -> tuple[Array, ...]:
        """Run on an array of the input's dtype and shape; one array per output, in their order.

        Raises:
            OptionError: the array has another dtype, or a shape that does not fit.
            ModelError: the model failed.
        """
        fits = len(batch.shape) == len(self.input.shape) and all(
            wanted in (None, side)
            for wanted, side in zip(self.input.shape, batch.shape, strict=True)
        )
        if not fits or batch.dtype != self.input.dtype:
            raise OptionError(
                f"{self.source}: takes {self.input}, got {batch.dtype} {list(batch.shape)}"
            )
        try:
            return tuple(self.run(batch))
        except Exception as error:  # runtimes raise what they like
            raise ModelError(f"{self.source}: failed on {list(batch.shape)}: {error}") from error


def is_model_file(spec: str) -> bool:
    """Whether ``spec`` looks like a TF-Hub handle, a .tflite file or a SavedModel directory.

    True also where the file is missing, so that loading it reports what is wrong.
    """
    return bool(_HANDLE.match(spec)) or spec.endswith(".tflite") or Path(spec).is_dir()


def load_model_file(spec: str | os.PathLike[str]) -> ModelFunction:
    """Load a TFLite file, a SavedModel directory or a TF-Hub handle.

    Of a SavedModel the signature "serving_default" is used, of a TFLite file the main graph.

    Args:
        spec: path or URL. Handles are downloaded once into the cache of ``tensorflow_hub``
            (environment variable TFHUB_CACHE_DIR).

    Raises:
        ModelError: it is missing, damaged, of another kind, or does not have exactly one input.

    Example:
        >>> network = load_model_file("enhancer.tflite")  # doctest: +SKIP
    """
    source = os.fspath(spec)
    if _HANDLE.match(source):
        return _load_saved_model(_download(source), source)
    if source.endswith(".tflite"):
        data = read_model_bytes(source)
        version = hashlib.sha256(data).hexdigest()[:VERSION_DIGITS]
        return load_tflite(checked_model(data, source), source, version)
    return _load_saved_model(Path(source), source)


def content_version(path: Path) -> str:
    """Version of a file or directory: changes with any byte or file name, not with its place."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()[:VERSION_DIGITS]
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        name = file.relative_to(path).as_posix()
        digest.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:VERSION_DIGITS]


def safe_name(source: str) -> str:
    """Name for labels and folders: the last part that is not a number, without its suffix."""
    parts = [part for part in re.split(r"[/\\]", source.partition("?")[0]) if part not in ("", ".")]
    words = [part for part in parts if not part.isdigit()] or parts or ["model"]
    stem = words[-1].removesuffix(".tflite")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip(".-") or "model"


def _download(handle: str) -> Path:
    import tensorflow_hub  # imports TensorFlow

    try:
        return Path(tensorflow_hub.resolve(handle))
    except Exception as error:  # network, address, archive: each has errors of its own
        raise ModelError(
            f"{handle}: cannot be fetched ({type(error).__name__}: {error}). Check the address "
            "and the network, or download the model and give its directory"
        ) from error


def _load_saved_model(folder: Path, source: str) -> ModelFunction:
    if not (folder / SAVED_MODEL_FILE).is_file():
        raise ModelError(
            f"{source}: is not a model: it holds no {SAVED_MODEL_FILE}. Give a SavedModel "
            "directory, a .tflite file or a TF-Hub handle"
        )
    import tensorflow as tf  # seconds; only who uses a SavedModel pays for it

    try:
        model = tf.saved_model.load(str(folder))
    except Exception as error:
        raise ModelError(f"{source}: the SavedModel is damaged: {error}") from error
    if SIGNATURE not in model.signatures:
        raise ModelError(
            f"{source}: has the signatures {sorted(model.signatures)}, but not {SIGNATURE!r}. "
            "Save it with signatures={'serving_default': ...}"
        )
    signature = model.signatures[SIGNATURE]
    inputs = [_tensor(name, spec) for name, spec in signature.structured_input_signature[1].items()]
    outputs = [_tensor(name, spec) for name, spec in signature.structured_outputs.items()]
    taken, given = _one_input(source, inputs, outputs)

    def run(batch: Array, model: Any = model) -> list[Array]:  # `model` keeps the variables alive
        results = model.signatures[SIGNATURE](**{taken.name: tf.constant(batch)})
        return [results[tensor.name].numpy() for tensor in given]

    return ModelFunction(source, safe_name(source), content_version(folder), taken, given, run)


def _tensor(name: str, spec: Any) -> Tensor:
    shape = tuple(spec.shape.as_list()) if spec.shape.rank is not None else ()
    return Tensor(name, shape, np.dtype(spec.dtype.as_numpy_dtype))


def load_tflite(data: bytes, source: str, version: str | None = None) -> ModelFunction:
    """Load the content of a TFLite file, which must be intact.

    Args:
        data: content of the file.
        source: what errors call it.
        version: by default the first digits of the content's SHA-256.

    Raises:
        ModelError: it is damaged, of another kind, or does not have exactly one input.
    """
    interpreters = ThreadInterpreters(data, source)
    interpreter = interpreters.get()
    details = interpreter.get_input_details(), interpreter.get_output_details()
    taken, given = _one_input(source, *([_detail(entry) for entry in kind] for kind in details))
    input_index = details[0][0]["index"]
    indices = {_detail(entry): entry["index"] for entry in details[1]}

    def run(batch: Array) -> list[Array]:
        model = interpreters.get()
        if tuple(model.get_input_details()[0]["shape"]) != batch.shape:
            model.resize_tensor_input(input_index, batch.shape)
        model.allocate_tensors()
        model.set_tensor(input_index, batch)
        model.invoke()
        return [model.get_tensor(indices[tensor]) for tensor in given]

    version = version or hashlib.sha256(data).hexdigest()[:VERSION_DIGITS]
    return ModelFunction(source, safe_name(source), version, taken, given, run)


def _detail(entry: dict[str, Any]) -> Tensor:
    shape = tuple(None if side < 0 else int(side) for side in entry["shape_signature"])
    return Tensor(entry["name"], shape, np.dtype(entry["dtype"]))


def _one_input(
    source: str, inputs: list[Tensor], outputs: list[Tensor]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    if len(inputs) != 1 or not outputs:
        raise ModelError(
            f"{source}: takes {', '.join(map(str, inputs)) or 'nothing'} and gives "
            f"{', '.join(map(str, outputs)) or 'nothing'}; exactly one input is needed"
        )
    return inputs[0], tuple(sorted(outputs, key=lambda tensor: _natural(tensor.name)))


def _natural(name: str) -> list[tuple[str, int]]:
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", name)]
