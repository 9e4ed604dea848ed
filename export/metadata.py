"""TFLite Metadata, and a model card in a zip appended to the file.

The zip starts where the flatbuffer ends, so runtimes do not see it and ``unzip`` does. Nothing in
it depends on the clock, the machine or zlib: equal inputs give equal files.
"""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export import metadata_schema
from export.flatfile import parse, serialize
from trigger.errors import ModelError
from trigger.interface import INPUT, Output
from trigger.model import PREPROCESSING_ENTRY
from trigger.preprocessing import STANDARD

CARD = "MODEL_CARD.md"
_METADATA = b"TFLITE_METADATA"


@dataclass(frozen=True)
class Description:
    """The metadata to write into a file.

    Attributes:
        name: of the model.
        version: of the model.
        output: what it predicts.
        threshold: score from which a photo is worth enhancing, or None if the output does not
            decide.
        card: Markdown about data, quality and limits, or None for a card of the facts above.
    """

    name: str
    version: str
    output: Output
    threshold: float | None
    card: str | None


@dataclass(frozen=True)
class InputMetadata:
    """The input of an exported file.

    Attributes:
        name: of the tensor.
        description: for people.
        width: in pixels.
        height: in pixels.
        range: lowest and highest value.
    """

    name: str
    description: str
    width: int
    height: int
    range: tuple[float, float]


@dataclass(frozen=True)
class OutputMetadata:
    """The output of an exported file.

    Attributes:
        name: of the tensor.
        description: for people.
        threshold: score from which a photo is worth enhancing; None if the output does not decide.
    """

    name: str
    description: str
    threshold: float | None


@dataclass(frozen=True)
class FileMetadata:
    """The metadata of an exported file.

    Attributes:
        name: of the model.
        version: of the model.
        description: one sentence.
        preprocessing: version that photos must have been through.
        input: the photo.
        output: the prediction.
        card: the model card, Markdown.
    """

    name: str
    version: str
    description: str
    preprocessing: str
    input: InputMetadata
    output: OutputMetadata
    card: str


def add_metadata(tflite: bytes, description: Description) -> bytes:
    """Add metadata and model card to a TFLite file; it loads in every TFLite runtime.

    Args:
        tflite: a TFLite file without metadata, as the converter makes it.
        description: the metadata.

    Raises:
        ModelError: ``tflite`` is not TFLite, or already has metadata.
    """
    model = parse(tflite)
    entries = list(model.metadata or [])
    if any(entry.name == _METADATA for entry in entries):
        raise ModelError("the TFLite file already has metadata; start from the converter's output")
    for name, content in (
        (_METADATA, metadata_schema.pack(_model_metadata(description))),
        # In TFLite's own list of named buffers; TFLite Metadata has no field for it.
        (PREPROCESSING_ENTRY, STANDARD.version.encode()),
    ):
        entries.append(schema.MetadataT(name=name, buffer=len(model.buffers)))
        model.buffers.append(schema.BufferT(data=np.frombuffer(content, np.uint8)))
    model.metadata = entries
    file = io.BytesIO(serialize(model))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        entry = zipfile.ZipInfo(CARD, date_time=(1980, 1, 1, 0, 0, 0))
        entry.create_system = 3  # Unix, whatever system writes it
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, description.card or _plain_card(description))
    return file.getvalue()


def read_metadata(path: Path | str) -> FileMetadata:
    """Read the metadata of an exported TFLite file.

    Raises:
        ModelError: the file is missing, not TFLite, damaged, or was not written by
            ``trigger export``.

    Example:
        >>> read_metadata("trigger.tflite").output.threshold  # doctest: +SKIP
        0.4
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror}); give a .tflite file"
        ) from error
    try:
        model = parse(content)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    try:
        buffers = {
            entry.name: bytes(model.buffers[entry.buffer].data) for entry in model.metadata or []
        }
        metadata = metadata_schema.unpack(buffers[_METADATA])
        preprocessing = buffers[PREPROCESSING_ENTRY].decode()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            card = archive.read(CARD).decode()
        return _readable(metadata, preprocessing, card)
    except (
        *(KeyError, IndexError, TypeError, ValueError, AttributeError),
        *(struct.error, zipfile.BadZipFile),
    ) as error:
        raise ModelError(
            f"{path}: has no readable metadata ({type(error).__name__}: {error}); "
            f"it is damaged, or trigger export did not write it"
        ) from error


def _model_metadata(description: Description) -> dict[str, Any]:
    output: dict[str, Any] = {
        "name": description.output.name,
        "description": description.output.meaning,
        "content": {"content_properties": {"FeatureProperties": {}}},
    }
    if description.threshold is not None:
        option = {"ScoreThresholdingOptions": {"global_score_threshold": description.threshold}}
        output["process_units"] = [{"options": option}]
    image = {
        "name": INPUT,
        "description": (
            f"The upright photo as RGB, raw 0..255, resized to {STANDARD.size}x{STANDARD.size} "
            f"with Pillow's antialiased bilinear filter (preprocessing {STANDARD.version})."
        ),
        "content": {
            "content_properties": {
                "ImageProperties": {
                    "color_space": metadata_schema.RGB,
                    "default_size": {"width": STANDARD.size, "height": STANDARD.size},
                }
            }
        },
        # The identity: the network normalizes inside.
        "process_units": [{"options": {"NormalizationOptions": {"mean": [0.0], "std": [1.0]}}}],
        "stats": {"max": [255.0], "min": [0.0]},
    }
    return {
        "name": description.name,
        "description": _summary(description.output),
        "version": description.version,
        "subgraph_metadata": [
            {"input_tensor_metadata": [image], "output_tensor_metadata": [output]}
        ],
        "associated_files": [
            {
                "name": CARD,
                "description": "What the model was trained on, how good it is, and its limits.",
                "type": metadata_schema.DESCRIPTIONS,
            }
        ],
        "min_parser_version": metadata_schema.MIN_PARSER_VERSION,
    }


def _readable(metadata: dict[str, Any], preprocessing: str, card: str) -> FileMetadata:
    (graph,) = metadata["subgraph_metadata"]
    (image,), (output,) = graph["input_tensor_metadata"], graph["output_tensor_metadata"]
    size = image["content"]["content_properties"]["ImageProperties"]["default_size"]
    thresholds = [
        unit["options"]["ScoreThresholdingOptions"]["global_score_threshold"]
        for unit in output.get("process_units", [])
    ]
    (low,), (high,) = image["stats"]["min"], image["stats"]["max"]
    return FileMetadata(
        name=metadata["name"],
        version=metadata["version"],
        description=metadata["description"],
        preprocessing=preprocessing,
        input=InputMetadata(
            name=image["name"],
            description=image["description"],
            width=size["width"],
            height=size["height"],
            range=(low, high),
        ),
        output=OutputMetadata(
            name=output["name"],
            description=output["description"],
            # Stored as float32: 0.4 comes back as 0.4, not as 0.4000000059.
            threshold=float(str(np.float32(thresholds[0]))) if thresholds else None,
        ),
        card=card,
    )


def _summary(output: Output) -> str:
    return f"From a photo of any size, resized to {STANDARD.size}x{STANDARD.size}: {output.meaning}"


def _plain_card(description: Description) -> str:
    threshold = (
        "" if description.threshold is None else f"- threshold: {description.threshold:g} or more\n"
    )
    return (
        f"# {description.name} {description.version}\n\n"
        f"{_summary(description.output)}\n\n"
        f"- input: `{INPUT}`, uint8 (1, {STANDARD.size}, {STANDARD.size}, 3), RGB 0..255\n"
        f"- output: `{description.output.name}`, float32 (1, {description.output.size})\n"
        f"- preprocessing: {STANDARD.version}\n"
        f"{threshold}\n"
        "No card was given at export, so training data and measured quality are not stated here.\n"
    )
