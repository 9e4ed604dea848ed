"""Convert records (dataclasses) to JSON and back, checking types on the way back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from trigger.errors import DataError

T = TypeVar("T")


def to_builtins(record: object) -> dict[str, Any]:
    """Convert a dataclass to what ``json`` writes; fields that are ``msgspec.UNSET`` are omitted.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass
        ... class Count:
        ...     n: int
        >>> to_builtins(Count(3))
        {'n': 3}
    """
    values: dict[str, Any] = msgspec.to_builtins(record)
    return values


def to_json(record: object) -> bytes:
    """Write a dataclass as indented JSON."""
    return json.dumps(to_builtins(record), indent=2).encode()


def from_builtins(kind: type[T], values: object, source: str | Path) -> T:
    """Make a dataclass of what ``json`` read; keys without a field of that name are ignored.

    Args:
        kind: the dataclass.
        values: dictionaries, lists, strings, numbers.
        source: where they come from, for the message.

    Raises:
        DataError: a field is missing or has a value of another type.
    """
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise DataError(
            f"{source}: is not the {kind.__name__} that this version writes ({error}); make it "
            "again, or use the version that made it"
        ) from error


def read_json(kind: type[T], path: Path) -> T:
    """Read a file that :func:`to_json` wrote.

    Raises:
        DataError: the file is missing, or is not such a file.
    """
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error}); make it again") from error
    return from_builtins(kind, values, path)
