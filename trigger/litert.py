"""Run TFLite models on whichever runtime is installed.

Runtimes trust the files they load, and damaged ones crash them: pass content from elsewhere
through :func:`trigger.model_check.checked_model` first, as :meth:`TfliteFunction.open` does.
"""

from __future__ import annotations

import importlib
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trigger.errors import ModelError, OptionError
from trigger.model_check import checked_model

_RUNTIMES = (
    "ai_edge_litert.interpreter",
    "tflite_runtime.interpreter",
    "tensorflow.lite.python.interpreter",
)


class ThreadInterpreters:
    """Interpreters of a TFLite file, one per thread, since they are not thread-safe.

    Each takes 0.02 s to make and about 10 MB.
    """

    def __init__(self, data: bytes, name: str, *, threads: int = 1) -> None:
        """Keep the content of a TFLite file; ``name`` names it in errors."""
        self._data = data
        self._name = name
        self._threads = threads
        self._per_thread = threading.local()

    def get(self) -> Any:
        """Return this thread's interpreter, made on first use; its tensors are not allocated yet.

        Raises:
            ModelError: not a TFLite file, or no runtime is installed.
        """
        interpreter = getattr(self._per_thread, "interpreter", None)
        if interpreter is None:
            runtime = find_runtime()
            try:
                interpreter = runtime(model_content=self._data, num_threads=self._threads)
            except (ValueError, RuntimeError) as error:
                raise unusable(self._name, error) from error
            self._per_thread.interpreter = interpreter
        return interpreter


def unusable(name: str, error: Exception) -> ModelError:
    """Return the error for a file that the runtime refused or could not run."""
    return ModelError(f"{name}: the TFLite file is damaged or needs another runtime: {error}")


class TfliteFunction:
    """One signature of a TFLite file as a function on a batch of uint8 images.

    The signature must take one uint8 input with a batch of one and give one float32 output.
    It may be shared between threads.

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
        """Load the content of a TFLite file, which must be intact; ``name`` names it in errors.

        Raises:
            ModelError: not a TFLite file, without that signature, or with other inputs and
                outputs; or no runtime is installed.
        """
        if threads < 1:
            raise OptionError(f"threads is {threads}; it must be 1 or more")
        self.threads = threads
        self._signature = signature
        self._name = name
        self._interpreters = ThreadInterpreters(data, name, threads=threads)
        self._runners = threading.local()
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
        cls, path: str | os.PathLike[str], signature: str = "score", *, threads: int = 1
    ) -> TfliteFunction:
        """Load a TFLite file that may be damaged; errors as in the constructor."""
        name = os.fspath(path)
        data = checked_model(read_model_bytes(path), name)
        return cls(data, signature, threads=threads, name=name)

    def __call__(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Run on uint8 images (N, ...), N >= 0, one after the other; returns (N, k) float32.

        Raises:
            OptionError: the images have another shape or dtype.
            ModelError: the model failed, or gave a value that is not finite.
        """
        if images.dtype != np.uint8 or images.shape[1:] != self.input_shape[1:]:
            raise OptionError(
                f"images are {images.dtype} {list(images.shape)}; {self._name} takes uint8 "
                f"{['N', *self.input_shape[1:]]}"
            )
        runner = self._runner()
        results = np.empty((len(images), self.output_size), np.float32)
        for index in range(len(images)):
            try:
                output = runner(**{self.input_name: images[index : index + 1]})
            except (ValueError, RuntimeError) as error:
                raise unusable(self._name, error) from error
            results[index] = output[self.output_name].reshape(-1)
        if not np.isfinite(results).all():
            raise ModelError(f"{self._name}: gave a value that is not a finite number")
        return results

    def _runner(self) -> Any:
        """Return this thread's signature runner, made on first use."""
        runner = getattr(self._runners, "runner", None)
        if runner is None:
            interpreter = self._interpreters.get()
            try:
                interpreter.allocate_tensors()
                signatures = interpreter.get_signature_list()
            except (ValueError, RuntimeError) as error:
                raise unusable(self._name, error) from error
            if self._signature not in signatures:
                raise ModelError(
                    f"{self._name}: has the signatures {sorted(signatures)}, but not "
                    f"{self._signature!r}. Export it with: trigger export MODEL.keras"
                )
            runner = interpreter.get_signature_runner(self._signature)
            self._runners.runner = runner
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
