"""Shared by the modules of the formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Renew = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Carry:
    """How metadata are carried over.

    Attributes:
        renew_exif: puts the new thumbnail into EXIF data, whose length stays.
        profile: the ICC profile for the new pixels, empty for none; None: that of the original.
    """

    renew_exif: Renew
    profile: bytes | None = None


def size_in_words(data: bytes) -> str:
    """Such as "30,024 bytes"."""
    return f"{len(data):,} bytes"
