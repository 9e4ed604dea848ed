"""Read the models that come with this project, checked against their records."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from trigger.errors import ModelError

_REINSTALL = "reinstall with: pip install --force-reinstall . in the folder of this project"


class PackagedModel(NamedTuple):
    """A model file whose SHA-256 is that of its record.

    Attributes:
        record: content of ``NAME.json``: ``name``, ``version``, ``file``, ``sha256``,
            ``size_bytes`` and facts about training and quality.
        data: content of the model file.
    """

    record: dict[str, Any]
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
        >>> packaged.record["name"]
        'trigger'
    """
    try:
        record: dict[str, Any] = json.loads((folder / f"{name}.json").read_text("utf-8"))
        file, expected = folder / record["file"], record["sha256"]
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
    return PackagedModel(record, data)
