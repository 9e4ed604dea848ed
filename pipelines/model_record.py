"""What a trained network was made from, kept inside its ``.keras`` file so that it stays with it.

A ``.keras`` file is a ZIP archive; Keras reads its own members and leaves others alone.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from trigger.errors import ModelError

MEMBER = "trigger.json"


def write_record(path: Path, record: dict[str, str]) -> None:
    """Add the record to a ``.keras`` file that ``Model.save`` has just written."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(MEMBER), json.dumps(record, indent=2))


def read_record(path: Path) -> dict[str, str]:
    """The record of a ``.keras`` file; empty where it has none.

    Raises:
        ModelError: the file or its record is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if MEMBER not in archive.namelist():
                return {}
            record = json.loads(archive.read(MEMBER))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: not a readable .keras model ({error})") from error
    return {str(name): str(value) for name, value in record.items()}
