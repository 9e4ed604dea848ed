"""Read the models that come with this project, checked against their records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trigger.errors import ModelError

_REINSTALL = "reinstall with: pip install --force-reinstall . in the folder of this project"


@dataclass(frozen=True)
class PackagedModel:
    """A model file whose SHA-256 is that of its record.

    Attributes:
        name: of the model.
        version: of the model.
        facts: the whole record, ``NAME.json``: also ``file``, ``sha256``, ``size_bytes``, and what
            the model's own reader knows of training and quality.
        data: content of the model file.
    """

    name: str
    version: str
    facts: Mapping[str, Any]
    data: bytes


def read_packaged(folder: Path, name: str, built_by: str | None = None) -> PackagedModel:
    """Read a packaged model: the record ``NAME.json``, then the file that it names.

    Args:
        folder: holds records and model files.
        name: of the model.
        built_by: the command that makes the model, named if there is none; without it the
            installation is taken to be incomplete.

    Raises:
        ModelError: the model is missing or was altered, or its record is damaged.

    Example:
        >>> from pathlib import Path
        >>> import trigger
        >>> packaged = read_packaged(Path(trigger.__file__).parent / "models", "trigger")
        >>> packaged.version
        '11'
    """
    try:
        record: dict[str, Any] = json.loads((folder / f"{name}.json").read_text("utf-8"))
        file, expected = folder / record["file"], record["sha256"]
        version = str(record["version"])
        data = file.read_bytes()
    except FileNotFoundError as error:
        remedy = f"build it with: {built_by}" if built_by else _REINSTALL
        raise ModelError(
            f"{error.filename} is missing: {name} is not packaged; {remedy}"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder / name}.json: not the record of a packaged model "
            f"({type(error).__name__}: {error}); {_REINSTALL}"
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != expected:
        raise ModelError(
            f"{file}: sha256 is {digest}, but {expected} was expected; the file was altered, "
            f"{_REINSTALL}"
        )
    return PackagedModel(name, version, record, data)
