"""BMP: the color space that versions 4 and 5 can hold, which is not written."""

from __future__ import annotations

_HEADER_SIZE, _COLOR_SPACE = 14, 14 + 56  # bytes of the file
_VERSION_4 = 108
_CALIBRATED, _EMBEDDED, _LINKED = b"\0\0\0\0", b"DEBM", b"KNIL"


def extras(data: bytes) -> list[str]:
    """What an enhanced copy cannot hold, in words."""
    if int.from_bytes(data[_HEADER_SIZE : _HEADER_SIZE + 4], "little") < _VERSION_4:
        return []
    space = data[_COLOR_SPACE : _COLOR_SPACE + 4]
    if space in (_EMBEDDED, _LINKED):
        return ["a color profile (BMP version 5)"]
    # Endpoints and gammas that are all zero are unset.
    if space == _CALIBRATED and any(data[_COLOR_SPACE + 4 : _COLOR_SPACE + 52]):
        return ["calibrated colors (BMP version 4)"]
    return []
