"""What the modules of the formats have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Renew = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Carry:
    """How metadata are carried over.

    Attributes:
        renew_exif: puts the new thumbnail into EXIF data, whose length stays.
        keep_profile: whether the ICC profile still holds for the new pixels.
    """

    renew_exif: Renew
    keep_profile: bool = True


def size_in_words(data: bytes) -> str:
    """Such as "30,024 bytes"."""
    return f"{len(data):,} bytes"
