"""Read the marker segments of a JPEG."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
# In entropy-coded data, FF 00 stands for FF, and FF D0..D7 are restart markers.
# One FF and no repetition: this is 20 times as fast.
_NEXT_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")


class Segment(NamedTuple):
    """A marker segment: from its FF to the end of its payload."""

    marker: int
    start: int
    payload: int
    end: int


def segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments of the first picture in the file; stray bytes between are passed over."""
    position = 2
    while found := _NEXT_MARKER.search(data, position):
        marker = found[1][0]
        start, payload = found.end() - 2, found.end() + 2
        if marker == _END_OF_IMAGE:
            return
        if marker in _WITHOUT_LENGTH:
            position = found.end()
            continue
        end = found.end() + int.from_bytes(data[found.end() : payload], "big")
        if end < payload or end > len(data):
            return
        yield Segment(marker, start, payload, end)
        position = end


def end_of_scan(data: bytes, start: int) -> int:
    """Return where the entropy-coded data that begin at a position end: at the next marker."""
    found = _NEXT_MARKER.search(data, start)
    return found.start() if found else len(data)


def end_of_image(data: bytes, start: int) -> int:
    """Return the position of the first end marker from a position on; the file's end if none is."""
    markers = _NEXT_MARKER.finditer(data, start)
    return next((found.start() for found in markers if found[1][0] == _END_OF_IMAGE), len(data))
