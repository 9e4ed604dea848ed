"""The process that checks a TFLite file: from standard input to standard output.

It writes ``ok`` and the rebuilt model, or ``refused`` and the reason. If the model crashes it, the
parent process reads neither.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from trigger.errors import ModelError
from trigger.litert import find_runtime
from trigger.model_check.graph import verify

FREE_SIDE = 64
"""Size at which dimensions are tried that the model leaves open."""
_MEMORY = 8 << 30
"""Bytes of address space; enough for enhancers of large windows."""


def main() -> None:
    """Check the model on standard input."""
    with contextlib.suppress(ImportError):  # resource: POSIX only
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        if most in (-1, resource.RLIM_INFINITY) or most > _MEMORY:
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, most))
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)  # native libraries write to descriptor 1
        try:
            rebuilt = verify(sys.stdin.buffer.read())
            try_out(rebuilt)
        except (ModelError, ValueError, RuntimeError) as error:
            answer.write(f"refused\nis damaged or needs another runtime: {error}".encode())
        except MemoryError:
            answer.write(b"refused\nneeds more memory than 8 GB")
        else:
            answer.write(b"ok\n" + rebuilt)
        answer.flush()
        os._exit(0)  # what the runtime does when it is torn down is of no interest


def try_out(data: bytes) -> None:
    """Run a model on black and on noise, by its main graph and by each of its signatures.

    Raises:
        ValueError, RuntimeError: the runtime refuses the model, or cannot run it at the sizes that
            the model states. Failures at sizes that it leaves open are no fault.
    """
    interpreter = find_runtime()(model_content=data, num_threads=1)
    details = interpreter.get_input_details()
    free = any((entry["shape_signature"] < 0).any() for entry in details)
    with contextlib.suppress(*((ValueError, RuntimeError) if free else ())):
        for entry in details:
            side = np.where(entry["shape_signature"] < 0, FREE_SIDE, entry["shape"])
            if len(side) and entry["shape_signature"][0] < 0:
                side[0] = 1  # the batch
            interpreter.resize_tensor_input(entry["index"], side)
        interpreter.allocate_tensors()
        for seed in (None, 0):
            for entry in interpreter.get_input_details():
                interpreter.set_tensor(entry["index"], _values(entry, seed))
            interpreter.invoke()
            for entry in interpreter.get_output_details():
                interpreter.get_tensor(entry["index"])
        for key in interpreter.get_signature_list():
            runner = interpreter.get_signature_runner(key)
            for seed in (None, 0):
                inputs = runner.get_input_details()
                runner(**{name: _values(entry, seed) for name, entry in inputs.items()})


def _values(entry: Mapping[str, Any], seed: int | None) -> np.ndarray[Any, Any]:
    """Zeros, or noise of 0..1 or 0..255 by the type of the input."""
    if seed is None:
        return np.zeros(entry["shape"], entry["dtype"])
    noise = np.random.default_rng(seed).random(entry["shape"])
    scale = 1 if np.issubdtype(entry["dtype"], np.inexact) else 255
    values: np.ndarray[Any, Any] = (noise * scale).astype(entry["dtype"])
    return values
