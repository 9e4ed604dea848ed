"""Training records inside ``.keras`` files.

The record of a trigger has the keys ``MADE_WITH``: name and version of the enhancer and the scorer
that made its labels. That of a scorer has ``fold``: the fifth of the scenes that was held out. A
``.keras`` file is a ZIP archive; Keras ignores members that are not its own.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from trigger.errors import ModelError

MEMBER = "trigger.json"
MADE_WITH = ("enhancer", "enhancer_version", "scorer", "scorer_version")


def write_record(path: Path, record: dict[str, str]) -> None:
    """Add the record to a ``.keras`` file that ``Model.save`` has just written."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(MEMBER), json.dumps(record, indent=2))


def read_record(path: Path) -> dict[str, str]:
    """Return the record of a ``.keras`` file; empty if it has none.

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


def enhancer_of(record: Mapping[str, str]) -> str:
    """Return the enhancer of the labels as "name-version", as in ratings; "" if unknown."""
    return "-".join(record[part] for part in MADE_WITH[:2] if part in record)
