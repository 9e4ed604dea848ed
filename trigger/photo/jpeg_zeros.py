"""Find runs of zeros that were written over the entropy-coded data of a JPEG.

Failing disks and broken downloads leave zeros, which libjpeg may decode without a warning, since
zeros are valid code. Whether an encoder can have written that many is told by the Huffman tables:
if the code of all zeros ends a block, flat areas are long runs of zeros; if it stands for a
coefficient, a run would be a block of 63 equal coefficients, which no picture has.
"""

from __future__ import annotations

from trigger.photo.jpeg_segments import START_OF_SCAN, end_of_scan, segments

_TABLES = 0xC4
_SEQUENTIAL, _PROGRESSIVE = frozenset({0xC0, 0xC1}), 0xC2  # those with Huffman codes
_ZEROS = bytes(24)  # more bits than the longest block of equal coefficients that is likely
_SIXTEEN_ZEROS = 0xF0  # the one symbol with no coefficient that does not end a block


def find_zeros(data: bytes) -> int | None:
    """Return the position of zeros that no encoder wrote, None if there are none.

    Zeros in front of a marker are left to the decoder, which knows whether the picture is whole.

    Example:
        >>> find_zeros(b"no zeros") is None
        True
    """
    if _ZEROS not in data:  # nearly always
        return None
    first_symbols: dict[int, int] = {}  # by class (0: DC, 1: AC) and number of the table
    frame = 0
    for segment in segments(data):
        payload = data[segment.payload : segment.end]
        if segment.marker in _SEQUENTIAL or segment.marker == _PROGRESSIVE:
            frame = segment.marker
        elif segment.marker == _TABLES:
            first_symbols |= _read_first_symbols(payload)
        elif segment.marker == START_OF_SCAN and not _may_be_zeros(payload, frame, first_symbols):
            end = end_of_scan(data, segment.end)
            at = data.find(_ZEROS, segment.end, end)
            if at >= 0 and data[at:end].lstrip(b"\0")[:1] not in (b"", b"\xff"):
                return at
    return None


def _read_first_symbols(payload: bytes) -> dict[int, int]:
    """Return the symbol of each table whose code is all zeros: codes are given out in order."""
    symbols, position = {}, 0
    while position + 17 < len(payload):
        symbols[payload[position]] = payload[position + 17]
        position += 17 + sum(payload[position + 1 : position + 17])
    return symbols


def _may_be_zeros(payload: bytes, frame: int, first_symbols: dict[int, int]) -> bool:
    """Whether long runs of zeros are usual in a scan."""
    count = payload[0] if payload else 0
    if not frame or len(payload) < 4 + 2 * count:
        return True
    first, _, precision = payload[1 + 2 * count : 4 + 2 * count]
    if frame == _PROGRESSIVE and (first == 0 or precision >> 4):
        return True  # no AC coefficients, or single bits of them
    symbols = [first_symbols.get(0x10 | table & 15, 0) for table in payload[2 : 2 + 2 * count : 2]]
    return all(symbol & 15 == 0 and symbol != _SIXTEEN_ZEROS for symbol in symbols)
