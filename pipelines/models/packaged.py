"""Networks that come with this package: a model file, its card, and the record it is loaded by."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from trigger.errors import ModelError
from trigger.files import write_atomically


def package(source: Path, card: Path, folder: Path, version: str, facts: dict[str, Any]) -> None:
    """Copy a model file and its card into the package, with the record it is loaded by."""
    content = source.read_bytes()
    record = {
        "name": source.stem,
        "version": version,
        "file": source.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        **facts,
    }
    write_atomically(folder / source.name, content)
    write_atomically(folder / card.name, card.read_bytes())
    text = json.dumps(record, indent=2) + "\n"
    write_atomically(folder / f"{source.stem}.json", text.encode())


def read_packaged(folder: Path, name: str, built_by: str) -> tuple[dict[str, Any], bytes]:
    """The record and the model file that ``package`` wrote.

    Args:
        folder: of the package.
        name: of the network.
        built_by: command that makes and packages it.

    Raises:
        ModelError: it is not there, or was altered.
    """
    try:
        record: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
        data, expected = (folder / record["file"]).read_bytes(), record["sha256"]
    except FileNotFoundError as error:
        raise ModelError(
            f"{error.filename} is missing: {name} does not come with this package; build it with: "
            f"{built_by}"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder / name}.json: not a record of a packaged network ({error!r}); reinstall the "
            "package"
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != expected:
        raise ModelError(
            f"{folder / record['file']}: sha256 is {digest}, expected {expected}; the file "
            "was altered, reinstall the package"
        )
    return record, data
