"""Read and write the FlatBuffer of TFLite Metadata (published schema 1.1.0, identifier "M001").

No maintained package writes it, so the tables that this project uses are listed here with the
field numbers of ``metadata_schema.fbs`` (tensorflow/tflite-support, also in MediaPipe), and two
short functions walk that list. Tables are dictionaries, absent fields are absent keys, and the
member of a union is a dictionary of one key, the member's table name.
"""

from __future__ import annotations

from typing import Any

import flatbuffers
from flatbuffers import number_types
from flatbuffers.table import Table

IDENTIFIER = b"M001"
ROOT = "ModelMetadata"
MIN_PARSER_VERSION = "1.0.0"
"""Every field listed here exists since that version."""

# table: {field: (number, kind)}; a kind is a scalar, "string", a table, a union, or [kind].
_TABLES: dict[str, dict[str, tuple[int, str]]] = {
    "ModelMetadata": {
        "name": (0, "string"),
        "description": (1, "string"),
        "version": (2, "string"),
        "subgraph_metadata": (3, "[SubGraphMetadata]"),
        "associated_files": (6, "[AssociatedFile]"),
        "min_parser_version": (7, "string"),
    },
    "SubGraphMetadata": {
        "name": (0, "string"),
        "input_tensor_metadata": (2, "[TensorMetadata]"),
        "output_tensor_metadata": (3, "[TensorMetadata]"),
    },
    "TensorMetadata": {
        "name": (0, "string"),
        "description": (1, "string"),
        "content": (3, "Content"),
        "process_units": (4, "[ProcessUnit]"),
        "stats": (5, "Stats"),
    },
    "Content": {"content_properties": (1, "ContentProperties")},
    "FeatureProperties": {},
    "ImageProperties": {"color_space": (0, "byte"), "default_size": (1, "ImageSize")},
    "ImageSize": {"width": (0, "uint"), "height": (1, "uint")},
    "ProcessUnit": {"options": (1, "ProcessUnitOptions")},
    "NormalizationOptions": {"mean": (0, "[float]"), "std": (1, "[float]")},
    "ScoreThresholdingOptions": {"global_score_threshold": (0, "float")},
    "Stats": {"max": (0, "[float]"), "min": (1, "[float]")},
    "AssociatedFile": {"name": (0, "string"), "description": (1, "string"), "type": (2, "byte")},
}
# union: its members by tag. The tag is a field of its own, numbered one below the value.
_UNIONS: dict[str, dict[int, str]] = {
    "ContentProperties": {1: "FeatureProperties", 2: "ImageProperties"},
    "ProcessUnitOptions": {1: "NormalizationOptions", 3: "ScoreThresholdingOptions"},
}
_SCALARS = {
    "byte": number_types.Int8Flags,
    "uint": number_types.Uint32Flags,
    "float": number_types.Float32Flags,
}
_TAG = number_types.Uint8Flags
RGB = 1
"""ColorSpaceType.RGB"""
DESCRIPTIONS = 1
"""AssociatedFileType.DESCRIPTIONS"""


def pack(metadata: dict[str, Any]) -> bytes:
    """The FlatBuffer of a ``ModelMetadata`` dictionary; equal dictionaries give equal bytes."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(_put_table(builder, ROOT, metadata), IDENTIFIER)
    return bytes(builder.Output())


def unpack(buffer: bytes) -> dict[str, Any]:
    """The ``ModelMetadata`` dictionary of a FlatBuffer; fields not listed here are ignored.

    Raises:
        ValueError: the buffer does not carry the schema's identifier.
        struct.error, IndexError, TypeError, UnicodeDecodeError: it is damaged.
    """
    if buffer[4:8] != IDENTIFIER:
        raise ValueError(f"identifier {buffer[4:8]!r}, not {IDENTIFIER!r}")
    root = flatbuffers.encode.Get(flatbuffers.packer.uoffset, buffer, 0)
    return _get_table(Table(buffer, root), ROOT)


def _put_table(builder: flatbuffers.Builder, name: str, values: dict[str, Any]) -> int:
    fields = _TABLES[name]
    # Children first: a FlatBuffer is built from its leaves.
    ready = {key: _put_value(builder, fields[key][1], value) for key, value in values.items()}
    builder.StartObject(1 + max((number for number, _ in fields.values()), default=-1))
    for key, value in ready.items():
        number, kind = fields[key]
        if kind in _SCALARS:
            builder.Prepend(_SCALARS[kind], value)
            builder.Slot(number)
        else:
            if kind in _UNIONS:
                tag, value = value
                builder.PrependUint8Slot(number - 1, tag, 0)
            builder.PrependUOffsetTRelativeSlot(number, value, 0)
    return int(builder.EndObject())


def _put_value(builder: flatbuffers.Builder, kind: str, value: Any) -> Any:
    if kind in _SCALARS:
        return value
    if kind == "string":
        return builder.CreateString(value)
    if kind in _UNIONS:
        ((member, content),) = value.items()
        tag = next(tag for tag, table in _UNIONS[kind].items() if table == member)
        return tag, _put_table(builder, member, content)
    if not kind.startswith("["):
        return _put_table(builder, kind, value)
    item = kind[1:-1]
    items = [_put_value(builder, item, each) for each in value]
    builder.StartVector(4, len(items), 4)
    for each in reversed(items):
        if item in _SCALARS:
            builder.Prepend(_SCALARS[item], each)
        else:
            builder.PrependUOffsetTRelative(each)
    return builder.EndVector()


def _get_table(table: Table, name: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, (number, kind) in _TABLES[name].items():
        offset = table.Offset(4 + 2 * number)
        if not offset:
            continue
        at = table.Pos + offset
        if kind in _UNIONS:
            tag = table.Get(_TAG, table.Pos + table.Offset(4 + 2 * (number - 1)))
            member = _UNIONS[kind].get(tag)
            if member is not None:
                values[key] = {member: _get_table(Table(table.Bytes, table.Indirect(at)), member)}
        elif kind.startswith("["):
            start, item = table.Vector(offset), kind[1:-1]
            length = table.VectorLen(offset)
            values[key] = [_get_value(table, item, start + 4 * i) for i in range(length)]
        else:
            values[key] = _get_value(table, kind, at)
    return values


def _get_value(table: Table, kind: str, at: int) -> Any:
    if kind in _SCALARS:
        return table.Get(_SCALARS[kind], at)
    if kind == "string":
        return table.String(at).decode()
    return _get_table(Table(table.Bytes, table.Indirect(at)), kind)
