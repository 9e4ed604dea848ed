"""Running one signature of a TFLite file, on whichever runtime is installed."""

from __future__ import annotations

import importlib
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trigger.errors import ModelError, OptionError

_RUNTIMES = (
    "ai_edge_litert.interpreter",
    "tflite_runtime.interpreter",
    "tensorflow.lite.python.interpreter",
)


class TfliteFunction:
    """One signature of a TFLite file as a function on a batch of uint8 images.

    The signature must take one uint8 input with a batch of one and give one float32 output.
    Interpreters are not thread-safe, so every thread gets its own (0.02 s, about 10 MB).

    Attributes:
        input_shape: of the input, batch first, e.g. (1, 448, 448, 3).
        input_name: of the input, in the signature.
        output_name: of the output, in the signature.
        output_size: values per image.
        threads: used within one inference.
    """

    def __init__(
        self, data: bytes, signature: str = "score", *, threads: int = 1, name: str = "model"
    ) -> None:
        """Load the content of a TFLite file; ``name`` is what errors call it.

        Raises:
            ModelError: not a TFLite file, without that signature, or with other inputs and
                outputs; or no runtime is installed.
        """
        if threads < 1:
            raise OptionError(f"threads is {threads}; it must be 1 or more")
        if data[4:8] != b"TFL3":
            raise ModelError(
                f"{name}: is not a TFLite file ({len(data)} bytes, starting with {data[:8]!r}). "
                "Export one with: trigger export MODEL.keras --out trigger.tflite"
            )
        self.threads = threads
        self._data = data
        self._signature = signature
        self._name = name
        self._per_thread = threading.local()
        runner = self._runner()
        inputs: dict[str, Any] = runner.get_input_details()
        outputs: dict[str, Any] = runner.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(
                f"{name}: signature {signature!r} has inputs {sorted(inputs)} and outputs "
                f"{sorted(outputs)}; exactly one of each is needed"
            )
        self.input_name, source = next(iter(inputs.items()))
        self.output_name, result = next(iter(outputs.items()))
        self.input_shape = tuple(int(side) for side in source["shape"])
        output_shape = tuple(int(side) for side in result["shape"])
        self.output_size = int(np.prod(output_shape))
        if source["dtype"] != np.uint8 or self.input_shape[:1] != (1,):
            raise ModelError(
                f"{name}: input {self.input_name!r} is {np.dtype(source['dtype'])} "
                f"{list(self.input_shape)}; it must be uint8 with a batch of 1"
            )
        if result["dtype"] != np.float32 or output_shape[:1] != (1,):
            raise ModelError(
                f"{name}: output {self.output_name!r} is {np.dtype(result['dtype'])} "
                f"{list(output_shape)}; it must be float32 with a batch of 1"
            )

    @classmethod
    def open(
        cls,
        source: str | os.PathLike[str] | bytes,
        signature: str = "score",
        *,
        threads: int = 1,
    ) -> TfliteFunction:
        """Load a TFLite file from its path or its content; errors as in the constructor."""
        if isinstance(source, bytes):
            return cls(source, signature, threads=threads)
        return cls(read_model_bytes(source), signature, threads=threads, name=os.fspath(source))

    def __call__(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Run on uint8 images (N, ...), N >= 0, one after the other; returns (N, k) float32.

        Raises:
            OptionError: the images have another shape or dtype.
            ModelError: the model gave a value that is not finite.
        """
        if images.dtype != np.uint8 or images.shape[1:] != self.input_shape[1:]:
            raise OptionError(
                f"images are {images.dtype} {list(images.shape)}; {self._name} takes uint8 "
                f"{['N', *self.input_shape[1:]]}"
            )
        runner = self._runner()
        results = np.empty((len(images), self.output_size), np.float32)
        for index in range(len(images)):
            output = runner(**{self.input_name: images[index : index + 1]})
            results[index] = output[self.output_name].reshape(-1)
        if not np.isfinite(results).all():
            raise ModelError(f"{self._name}: gave a value that is not a finite number")
        return results

    def _runner(self) -> Any:
        """Return this thread's signature runner, made on first use."""
        runner = getattr(self._per_thread, "runner", None)
        if runner is None:
            interpreter_class = find_runtime()
            try:
                interpreter = interpreter_class(model_content=self._data, num_threads=self.threads)
                interpreter.allocate_tensors()
                signatures = interpreter.get_signature_list()
            except (ValueError, RuntimeError) as error:
                raise ModelError(
                    f"{self._name}: the TFLite file is damaged or needs another runtime: {error}"
                ) from error
            if self._signature not in signatures:
                raise ModelError(
                    f"{self._name}: has the signatures {sorted(signatures)}, but not "
                    f"{self._signature!r}. Export it with: trigger export MODEL.keras"
                )
            runner = interpreter.get_signature_runner(self._signature)
            self._per_thread.runner = runner
        return runner


def read_model_bytes(path: str | os.PathLike[str]) -> bytes:
    """Read a model file.

    Raises:
        ModelError: it is missing, a folder, no path at all, or may not be read.
    """
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        named = isinstance(path, str | os.PathLike)
        name = repr(os.fspath(path)) if named else f"a model of type {type(path).__name__}"
        raise ModelError(
            f"{name}: the model cannot be read ({reason}). Give the path of a .tflite file"
        ) from error


def find_runtime() -> Any:
    """Return the Interpreter class of the first TFLite runtime that is installed.

    Raises:
        ModelError: none is.
    """
    for module in _RUNTIMES:
        try:
            return importlib.import_module(module).Interpreter
        except ImportError:
            continue
    raise ModelError("no TFLite runtime is installed. Install one with: pip install ai-edge-litert")
