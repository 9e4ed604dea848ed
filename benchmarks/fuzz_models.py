"""Load mutated model files; ``python benchmarks/fuzz.py models`` runs this.

Half of the files are the packaged model with bytes changed, cut or inserted; the other half have
wrong shapes, indices, types, options, weights or signatures in a well-formed flatbuffer. Each must
load and score, or end in ModelError; crashes, hangs and other errors are failures.
"""

from __future__ import annotations

import copy
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.tools import flatbuffer_utils

import trigger
from trigger.errors import ModelError
from trigger.model import load_model

MODEL = Path(trigger.__file__).parent / "models" / "trigger.tflite"
SECONDS = 120
EXTREMES = (0, 1, 2, -1, 3, 7, 16, 112, 448, 65535, 100_000, 2**31 - 1, -(2**31))
ACCEPTED, REFUSED = "accepted", "ModelError"


def mutated_bytes(data: bytes, rng: random.Random) -> bytes:
    """Change one to eight bytes, most of them in the structure before or after the weights."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        places = (
            rng.randrange(len(changed)),
            rng.randrange(min(4096, len(changed))),
            rng.randrange(len(changed) * 9 // 10, len(changed)),
        )
        place = rng.choice(places)
        kind = rng.randrange(5)
        if kind == 0:
            changed[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 1:
            changed[place] ^= 1 << rng.randrange(8)
        elif kind == 2:
            changed[place : place + 4] = rng.choice(EXTREMES).to_bytes(4, "little", signed=True)
        elif kind == 3:
            changed[place:place] = rng.randbytes(rng.randint(1, 8))
        else:
            del changed[place : place + rng.randint(1, 64)]
    return bytes(changed)


def mutated_graph(data: bytes, rng: random.Random) -> bytes | None:
    """Change one to three entries of the graph; None where they cannot be written out."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
    for _ in range(rng.randint(1, 3)):
        rng.choice(_CHANGES)(model, rng)
    try:
        return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    except Exception:  # the value does not fit its field
        return None


def _shape(model: Any, rng: random.Random) -> None:
    tensor = rng.choice(model.subgraphs[0].tensors)
    shape = [int(side) for side in tensor.shape if tensor.shape is not None]
    if shape:
        shape[rng.randrange(len(shape))] = rng.choice(EXTREMES)
    tensor.shape = shape if rng.random() < 0.7 else [*shape, rng.choice(EXTREMES)]


def _inputs(model: Any, rng: random.Random) -> None:
    graph = model.subgraphs[0]
    operator = rng.choice(graph.operators)
    taken = [int(index) for index in operator.inputs]
    taken[rng.randrange(len(taken))] = rng.choice((-1, 0, rng.randrange(len(graph.tensors))))
    operator.inputs = taken if rng.random() < 0.7 else taken[:-1]


def _outputs(model: Any, rng: random.Random) -> None:
    graph = model.subgraphs[0]
    rng.choice(graph.operators).outputs = [rng.randrange(len(graph.tensors))]


def _kind(model: Any, rng: random.Random) -> None:
    operator = rng.choice(model.subgraphs[0].operators)
    operator.opcodeIndex = rng.randrange(len(model.operatorCodes) + 1)


def _operator_code(model: Any, rng: random.Random) -> None:
    code = rng.choice(model.operatorCodes)
    code.builtinCode = rng.randrange(150)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)


def _type(model: Any, rng: random.Random) -> None:
    rng.choice(model.subgraphs[0].tensors).type = rng.choice((*range(8), 9, 10, 15, 17))


def _buffer(model: Any, rng: random.Random) -> None:
    rng.choice(model.subgraphs[0].tensors).buffer = rng.randrange(len(model.buffers) + 1)


def _weights(model: Any, rng: random.Random) -> None:
    full = [buffer for buffer in model.buffers if buffer.data is not None and len(buffer.data)]
    buffer = rng.choice(full)
    buffer.data = buffer.data[: rng.randrange(1, len(buffer.data) + 1)]


def _option(model: Any, rng: random.Random) -> None:
    options = rng.choice(model.subgraphs[0].operators).builtinOptions
    fields = [name for name, value in vars(options or object).items() if type(value) is int]
    if options is not None and fields:
        setattr(options, rng.choice(fields), rng.choice((0, 1, 2, 3, 5, -1, 100, 2**31 - 1)))


def _quantization(model: Any, rng: random.Random) -> None:
    quantization = rng.choice(model.subgraphs[0].tensors).quantization
    if quantization is not None:
        quantization.scale = [rng.choice((0.0, 1.0, float("nan"), 1e30))] * rng.randint(1, 3)
        quantization.zeroPoint = [rng.choice((0, 1, 2**40))] * rng.randint(1, 3)


def _graph_ends(model: Any, rng: random.Random) -> None:
    graph = model.subgraphs[0]
    rng.choice((graph.inputs, graph.outputs))[0] = rng.randrange(len(graph.tensors))


def _signature(model: Any, rng: random.Random) -> None:
    signature = model.signatureDefs[0]
    entry = rng.choice((signature.inputs, signature.outputs))[0]
    entry.tensorIndex = rng.choice((0, 1, 10**6, 2**32 - 1))


def _twice(model: Any, rng: random.Random) -> None:
    operators = model.subgraphs[0].operators
    operators.insert(rng.randrange(len(operators)), copy.copy(rng.choice(operators)))


_CHANGES: tuple[Callable[[Any, random.Random], None], ...] = (
    *(_shape, _inputs, _outputs, _kind, _operator_code, _type, _buffer, _weights),
    *(_option, _quantization, _graph_ends, _signature, _twice),
)


def mutants(count: int, seed: int) -> Iterator[bytes]:
    """Make so many mutated files, half of each kind; equal seeds give equal files."""
    data = MODEL.read_bytes()
    number = made = 0
    while made < count:
        rng = random.Random(f"{seed}-{number}")
        changed = mutated_bytes(data, rng) if number % 2 else mutated_graph(data, rng)
        number += 1
        if changed is not None:
            made += 1
            yield changed


def outcome(path: Path) -> str:
    """Load and run a model in a process of its own; returns a word for what happened."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        signal.alarm(SECONDS)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            load_model(path).score(np.zeros((1, 448, 448, 3), np.uint8))
            word = ACCEPTED
        except ModelError:
            word = REFUSED
        except BaseException as error:
            word = f"FAILURE: {type(error).__name__}"
        os.write(writing, word.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        word = answer.read()
    _, status = os.waitpid(process, 0)
    if word:
        return word
    return (
        "FAILURE: hang"
        if status & 127 == signal.SIGALRM
        else f"FAILURE: crash (signal {status & 127})"
    )


def fuzz_models(count: int, seed: int, seconds: float) -> tuple[Counter[str], list[bytes]]:
    """Load mutated models; return the outcomes and the inputs that failed."""
    outcomes: Counter[str] = Counter()
    failed: list[bytes] = []
    deadline = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutated.tflite"
        for data in mutants(count, seed):
            path.write_bytes(data)
            word = outcome(path)
            outcomes[word] += 1
            if word not in (ACCEPTED, REFUSED):
                failed.append(data)
            if time.monotonic() > deadline:
                print(f"time is up after {sum(outcomes.values())} of {count}")
                break
    return outcomes, failed
