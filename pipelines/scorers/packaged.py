"""Model files of scorers that come with this package, each with a record of what it is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from trigger.errors import ModelError
from trigger.files import write_atomically
from trigger.litert import TfliteFunction
from trigger.preprocessing import STANDARD

MODELS = Path(__file__).parent / "models"


def open_packaged(name: str, built_by: str) -> tuple[TfliteFunction, str]:
    """The network of ``models/NAME.json`` and its version.

    Raises:
        ModelError: it is not there (``built_by`` says how to mend that), or was altered.
    """
    try:
        record = json.loads((MODELS / f"{name}.json").read_text())
        data = (MODELS / record["file"]).read_bytes()
    except FileNotFoundError as error:
        raise ModelError(
            f"{error.filename} is missing: {name} does not come with this package; build it "
            f"with: {built_by}"
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != record["sha256"]:
        raise ModelError(
            f"{MODELS / record['file']}: sha256 is {digest}, expected {record['sha256']}; "
            "the file was altered, reinstall the package"
        )
    return TfliteFunction(data, signature="score", name=name), str(record["version"])


def write_packaged(file: Path, card: str, version: str, facts: dict[str, Any]) -> None:
    """Put a model file into the package: ``NAME.tflite``, ``NAME.md`` and ``NAME.json``."""
    content = file.read_bytes()
    record = {
        "name": file.stem,
        "version": version,
        "file": file.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "preprocessing": STANDARD.version,
        **facts,
    }
    write_atomically(MODELS / file.name, content)
    write_atomically(MODELS / f"{file.stem}.md", card.encode())
    write_atomically(MODELS / f"{file.stem}.json", (json.dumps(record, indent=2) + "\n").encode())
