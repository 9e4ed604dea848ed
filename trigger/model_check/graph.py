"""Verify the graph of a TFLite file: indices, shapes, types, weights and operator options."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable
from typing import Any

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from trigger.errors import ModelError

MAX_VALUES = 2**31 - 1
"""Of a tensor; runtimes count them in 32 bits."""
MAX_OPTION = 1 << 16
"""Of strides, dilations and windows."""
_BITS = {
    "BOOL": 8, "INT8": 8, "UINT8": 8, "INT4": 4, "UINT4": 4, "INT2": 2,
    "INT16": 16, "UINT16": 16, "FLOAT16": 16, "BFLOAT16": 16,
    "INT32": 32, "UINT32": 32, "FLOAT32": 32,
    "INT64": 64, "UINT64": 64, "FLOAT64": 64, "COMPLEX64": 64, "COMPLEX128": 128,
}  # fmt: skip
_TYPES = {value: name for name, value in vars(schema.TensorType).items() if isinstance(value, int)}
_OPERATORS = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)
}
_OPTIONS = {
    value: name for name, value in vars(schema.BuiltinOptions).items() if isinstance(value, int)
}
_OPTIONS_BY_WORD = {name.lower(): value for value, name in _OPTIONS.items()}
# Operators whose inputs from the given position on may be absent; no other's may.
_OPTIONAL_FROM = {
    "CONV_2D": 2,
    "DEPTHWISE_CONV_2D": 2,
    "CONV_3D": 2,
    "FULLY_CONNECTED": 2,
    "TRANSPOSE_CONV": 3,
}
_RECURRENT = re.compile("LSTM|RNN|SVDF")
_AT_LEAST_1 = re.compile(r"(stride|dilation|filter|blockSize|numSplits)", re.IGNORECASE)


def verify(data: bytes) -> bytes:
    """Parse a TFLite file, verify it, and write it out again.

    Raises:
        ModelError: something in it points out of range or does not fit; names the place.
    """
    try:
        model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
        _verify_model(model)
        return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    except ModelError:
        raise
    except Exception as error:  # the generated parser raises whatever damage leads to
        raise ModelError(f"its content cannot be parsed ({type(error).__name__})") from error


def _require(fits: bool, problem: str) -> None:
    if not fits:
        raise ModelError(problem)


def _listed(values: Any) -> list[int]:
    return [] if values is None else [int(value) for value in values]


def _verify_model(model: schema.ModelT) -> None:
    _require(model.version == 3, f"schema version {model.version} is not 3")
    _require(bool(model.subgraphs), "it has no graph")
    _require(bool(model.buffers), "it has no buffers")
    codes = [_operator_name(code) for code in model.operatorCodes or []]
    for number, graph in enumerate(model.subgraphs):
        place = f"graph {number}"
        for index, tensor in enumerate(graph.tensors or []):
            _verify_tensor(tensor, model, f"{place}, tensor {index}")
        _verify_operators(graph, _constants(graph, model), codes, len(model.subgraphs), place)
    for entry in model.metadata or []:
        _require(entry.buffer < len(model.buffers), "metadata names a buffer that does not exist")
    _verify_signatures(model)


def _operator_name(code: schema.OperatorCodeT) -> str:
    number = flatbuffer_utils.get_builtin_code_from_operator_code(code)
    _require(number in _OPERATORS, f"operator code {number} is unknown")
    name: str = _OPERATORS[number]
    return name


def _verify_tensor(tensor: schema.TensorT, model: schema.ModelT, place: str) -> None:
    kind = _TYPES.get(tensor.type)
    _require(kind is not None, f"{place}: type {tensor.type} is unknown")
    _require(tensor.sparsity is None, f"{place}: sparse tensors are not supported")
    shape, signature = _listed(tensor.shape), _listed(tensor.shapeSignature)
    values = math.prod(shape)
    _require(min(shape, default=0) >= 0, f"{place}: shape {shape} has a negative side")
    _require(values <= MAX_VALUES, f"{place}: shape {shape} is too large")
    if signature:
        fits = len(signature) == len(shape) and all(
            free == -1 or free == side for free, side in zip(signature, shape, strict=True)
        )
        _require(fits, f"{place}: shape {shape} does not fit its signature {signature}")
    _require(tensor.buffer < len(model.buffers), f"{place}: buffer {tensor.buffer} does not exist")
    buffer = model.buffers[tensor.buffer]
    _require(not buffer.offset, f"{place}: weights outside the flatbuffer are not supported")
    if buffer.data is not None and len(buffer.data):
        _require(not tensor.isVariable, f"{place}: a variable has weights")
        _verify_weights(kind or "", values, buffer.data, f"{place} ({kind} {shape})")
    if tensor.quantization is not None:
        _verify_quantization(tensor.quantization, shape, place)


def _verify_weights(kind: str, values: int, data: Any, place: str) -> None:
    content = bytes(data)
    if kind == "STRING":
        _verify_strings(content, values, place)
        return
    _require(kind in _BITS, f"{place}: a type that cannot be stored")
    expected = -(-values * _BITS[kind] // 8)
    _require(len(content) == expected, f"{place}: holds {len(content)} bytes, not {expected}")


def _verify_strings(content: bytes, values: int, place: str) -> None:
    """A count, the offsets of all strings and of the end (int32), then the strings."""
    problem = f"{place}: its strings are damaged"
    _require(len(content) >= 4, problem)
    (count,) = struct.unpack_from("<i", content)
    _require(count == values and len(content) >= 8 + 4 * count, problem)
    offsets = struct.unpack_from(f"<{count + 1}i", content, 4)
    _require(offsets[0] == 8 + 4 * count and list(offsets) == sorted(offsets), problem)
    _require(offsets[-1] <= len(content), problem)


def _verify_quantization(
    quantization: schema.QuantizationParametersT, shape: list[int], place: str
) -> None:
    scales = [] if quantization.scale is None else [float(s) for s in quantization.scale]
    zeros = _listed(quantization.zeroPoint)
    _require(all(math.isfinite(s) and s >= 0 for s in scales), f"{place}: scales are not finite")
    _require(len(zeros) in (0, 1, len(scales)), f"{place}: scales and zero points differ in number")
    _require(all(abs(zero) < 2**31 for zero in zeros), f"{place}: zero points are out of range")
    if len(scales) > 1:
        axis = quantization.quantizedDimension
        fits = 0 <= axis < len(shape) and len(scales) == shape[axis]
        _require(fits, f"{place}: {len(scales)} scales do not fit axis {axis} of {shape}")


def _constants(graph: schema.SubGraphT, model: schema.ModelT) -> set[int]:
    """Tensors that have values before any operator runs: weights and variables."""
    return {
        index
        for index, tensor in enumerate(graph.tensors or [])
        if tensor.isVariable
        or 0 in _listed(tensor.shape)
        or model.buffers[tensor.buffer].data is not None
    }


def _verify_operators(
    graph: schema.SubGraphT, constants: set[int], codes: list[str], graphs: int, place: str
) -> None:
    """Each tensor is written once at most, and before it is read."""
    tensors = graph.tensors or []
    inputs, outputs = _listed(graph.inputs), _listed(graph.outputs)
    _in_range([*inputs, *outputs], len(tensors), place)
    _require(len(set(inputs)) == len(inputs), f"{place}: an input is named twice")
    ready = set(inputs)
    for number, operator in enumerate(graph.operators or []):
        where = f"{place}, operator {number}"
        _require(operator.opcodeIndex < len(codes), f"{where}: its kind does not exist")
        name = codes[operator.opcodeIndex]
        where = f"{where} ({name})"
        taken, given = _listed(operator.inputs), _listed(operator.outputs)
        _verify_absent(name, taken, where)
        _in_range([index for index in taken if index != -1], len(tensors), where)
        _in_range(given, len(tensors), where)
        _in_range(_listed(operator.intermediates), len(tensors), where)
        ready_now = {-1} | ready | constants
        missing = [index for index in taken if index not in ready_now]
        _require(not missing, f"{where}: reads tensors {missing} before they are written")
        twice = [index for index in given if index in ready_now]
        _require(not twice, f"{where}: writes tensors {twice}, which have values already")
        ready |= set(given)
        _verify_options(operator, name, graphs, where)
    missing = [index for index in outputs if index not in ready | constants]
    _require(not missing, f"{place}: its outputs {missing} are never written")


def _verify_absent(name: str, taken: list[int], where: str) -> None:
    first = len(taken)
    if _RECURRENT.search(name):
        first = 0
    first = min(first, _OPTIONAL_FROM.get(name, first))
    _require(-1 not in taken[:first], f"{where}: an input is missing")


def _in_range(indices: Iterable[int], count: int, where: str) -> None:
    wrong = [index for index in indices if not 0 <= index < count]
    _require(not wrong, f"{where}: tensors {wrong} do not exist, there are {count}")


def _verify_options(operator: schema.OperatorT, name: str, graphs: int, where: str) -> None:
    kind = operator.builtinOptionsType
    _require(kind in _OPTIONS, f"{where}: options of unknown kind {kind}")
    expected = _OPTIONS_BY_WORD.get(name.replace("_", "").lower() + "options")
    fits = expected is None or kind in (0, expected)
    _require(fits, f"{where}: has the options of another operator, {_OPTIONS[kind]}")
    for options in (operator.builtinOptions, operator.builtinOptions2):
        for field, value in vars(options).items() if options is not None else ():
            if isinstance(value, int):
                _verify_option(field, int(value), graphs, where)


def _verify_option(field: str, value: int, graphs: int, where: str) -> None:
    problem = f"{where}: option {field} is {value}"
    if field == "fusedActivationFunction":
        _require(value in vars(schema.ActivationFunctionType).values(), problem)
    elif field == "padding":
        _require(value in vars(schema.Padding).values(), problem)
    elif field.lower().endswith("subgraphindex"):
        _require(0 <= value < graphs, problem)
    elif field.lower().endswith("datatype"):
        _require(value in _TYPES, problem)
    elif _AT_LEAST_1.match(field):
        _require(1 <= value <= MAX_OPTION, problem)


def _verify_signatures(model: schema.ModelT) -> None:
    for signature in model.signatureDefs or []:
        place = f"signature {signature.signatureKey!r}"
        _require(signature.subgraphIndex < len(model.subgraphs), f"{place}: has no graph")
        graph = model.subgraphs[signature.subgraphIndex]
        for entries, known in (
            (signature.inputs, _listed(graph.inputs)),
            (signature.outputs, _listed(graph.outputs)),
        ):
            _require(bool(entries), f"{place}: has no inputs or no outputs")
            named = [int(entry.tensorIndex) for entry in entries]
            _require(set(named) <= set(known), f"{place}: names tensors {named}, not {known}")
