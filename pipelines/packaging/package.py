"""Add a model file to the project, with its model card and the record that verifies it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from trigger.files import write_atomically


def package(source: Path, card: Path, folder: Path, version: str, facts: dict[str, Any]) -> None:
    """Copy a model file and its card into ``folder``; :mod:`trigger.packaged` reads them.

    Args:
        source: the model file, named by the model.
        card: the model card (Markdown).
        folder: of the packaged models.
        version: of the model.
        facts: further entries of the record, ready for ``json.dumps``.
    """
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
