"""Parse TFLite files; refuse ones without weights or with another interface.

A bare ``tf.Module`` does not track the variables of a Keras 3 model: it converts without
complaint to a file that has no weights, runs, and returns nonsense. ``check_file`` detects this.
"""

from __future__ import annotations

import struct
from typing import Literal

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from export.half import large_float32
from trigger.errors import ModelError
from trigger.interface import INPUT, INPUT_SHAPE, SIGNATURE, Output

Precision = Literal["float16", "float32"]
_VALUE_BYTES = {schema.TensorType.FLOAT16: 2, schema.TensorType.FLOAT32: 4}
_TYPE_NAMES = {
    value: name for name, value in vars(schema.TensorType).items() if isinstance(value, int)
}
_VARIABLE_OPS = {
    getattr(schema.BuiltinOperator, name): name
    for name in ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE")
}


def parse(tflite: bytes) -> schema.ModelT:
    """Parse a TFLite file into the object of its flatbuffer.

    Raises:
        ModelError: not TFLite, or cut short.
    """
    if tflite[4:8] != b"TFL3":
        raise ModelError(f"not a TFLite file: it starts with {tflite[:8]!r}, not with ....TFL3")
    try:
        return flatbuffer_utils.read_model_from_bytearray(tflite)
    except (struct.error, IndexError, ValueError, TypeError, MemoryError) as error:
        raise ModelError(f"a damaged TFLite file ({error}); export it again") from error


def serialize(model: schema.ModelT) -> bytes:
    """Write a flatbuffer object as a TFLite file; equal objects give equal bytes."""
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def check_file(tflite: bytes, output: Output, precision: Precision, kernels: int) -> None:
    """Refuse TFLite bytes that lack the network's weights or its interface.

    Args:
        tflite: a TFLite file.
        output: the one output it must have.
        precision: of its weights.
        kernels: values in the network's kernels, see ``kernel_values``.

    Raises:
        ModelError: not TFLite; variables without values; fewer constant weights than kernel
            values; another signature, shape or type; with the figures.
    """
    model = parse(tflite)
    _check_weights(model, precision, kernels)
    _check_signature(model, output)


def _check_weights(model: schema.ModelT, precision: Precision, kernels: int) -> None:
    codes = map(flatbuffer_utils.get_builtin_code_from_operator_code, model.operatorCodes)
    variables = sorted(_VARIABLE_OPS[code] for code in codes if code in _VARIABLE_OPS)
    if variables:
        raise ModelError(
            f"the TFLite file has no weights: it reads them from variables that nothing fills "
            f"({', '.join(variables)}); convert a model whose variables are tracked"
        )
    buffers = {
        (tensor.buffer, _VALUE_BYTES[tensor.type])
        for graph in model.subgraphs
        for tensor in graph.tensors
        if tensor.type in _VALUE_BYTES and model.buffers[tensor.buffer].data is not None
    }
    stored = sum(len(model.buffers[buffer].data) // size for buffer, size in buffers)
    if stored < kernels:
        raise ModelError(
            f"the TFLite file holds {stored} weights, the network's kernels alone {kernels}; "
            f"weights were lost on the way"
        )
    if precision == "float16":
        wrong = sum(len(large_float32(model, graph)) for graph in model.subgraphs)
    else:
        wrong = sum(
            tensor.type == schema.TensorType.FLOAT16
            for graph in model.subgraphs
            for tensor in graph.tensors
        )
    if wrong:
        raise ModelError(f"{wrong} weight tensors of the TFLite file are not {precision}")


def _check_signature(model: schema.ModelT, output: Output) -> None:
    expected = {
        "signature": [SIGNATURE],
        "inputs": [(INPUT, list(INPUT_SHAPE), "UINT8")],
        "outputs": [(output.name, [1, output.size], "FLOAT32")],
    }
    found = {
        "signature": [_text(signature.signatureKey) for signature in model.signatureDefs or []],
        "inputs": _tensors(model, "inputs"),
        "outputs": _tensors(model, "outputs"),
    }
    if found != expected:
        raise ModelError(f"the TFLite file has the interface {found}; expected {expected}")


def _tensors(model: schema.ModelT, side: str) -> list[tuple[str, list[int], str]]:
    """Name, shape and type of each input or output of each signature."""
    return [
        (_text(entry.name), [int(size) for size in tensor.shape], _TYPE_NAMES[tensor.type])
        for signature in model.signatureDefs or []
        for entry in getattr(signature, side)
        for tensor in [model.subgraphs[signature.subgraphIndex].tensors[entry.tensorIndex]]
    ]


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
