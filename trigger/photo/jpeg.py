"""Decode JPEGs strictly: what the decoder would have to guess is an error.

libjpeg fills in what is missing or damaged and only counts a warning, which Pillow does not pass
on. simplejpeg (libjpeg-turbo, as in Pillow: the same pixels bit for bit, reduced ones included)
stops at the first warning, in the same single pass and time. A checking pass besides Pillow's
decoding would cost as much as half of it, since most of the time goes into the entropy code.

libjpeg does not warn of scans that are missing altogether, so the scans of progressive files are
counted here. Three faults lose nothing and are repaired: a missing end marker, zeros in front of
it, and stray bytes between the segments of the header.
"""

from __future__ import annotations

from dataclasses import dataclass

import simplejpeg
from PIL import Image

from trigger.errors import PhotoError
from trigger.photo.jpeg_segments import START_OF_SCAN, end_of_image, segments
from trigger.photo.jpeg_zeros import find_zeros

_NUMBER_OF_LINES = 0xDC
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_COLORS = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
END = b"\xff\xd9"
_COEFFICIENTS = 64


@dataclass(frozen=True)
class Frame:
    """What the header says of the picture.

    Attributes:
        height_at: position of the height's two bytes in the file.
        size: width and height; a height of 0 is stated after the first scan (DNL).
        sampling: horizontal and vertical sampling factors, by component id.
        progressive: whether scans refine each other.
    """

    height_at: int
    size: tuple[int, int]
    sampling: dict[int, tuple[int, int]]
    progressive: bool

    @property
    def samples(self) -> float:
        """Samples per pixel of all components together; 1.5 with 4:2:0 subsampling."""
        factors = self.sampling.values()
        most = max(h for h, _ in factors) * max(v for _, v in factors)
        return sum(h * v for h, v in factors) / most


@dataclass(frozen=True)
class Structure:
    """The scans of a JPEG.

    Attributes:
        frame: what the header says.
        scans: how many there are; reading stops at the limit.
        complete: whether all coefficients of all components are coded in some scan.
        lines: the height stated after the first scan, 0 if none is.
    """

    frame: Frame
    scans: int
    complete: bool
    lines: int


def read_structure(data: bytes, max_scans: int) -> Structure | None:
    """Read the markers of a JPEG; None if there is no picture in it.

    Args:
        data: content of the file.
        max_scans: where to stop: the result then has one scan more.
    """
    frame: Frame | None = None
    missing: dict[int, list[int]] = {}
    scans = lines = 0
    for segment in segments(data):
        payload = data[segment.payload : segment.end]
        if segment.marker in _FRAMES and frame is None:
            frame = _read_frame(segment.marker, payload, segment.payload)
            if frame is None:
                return None
            # Bits still to come of each coefficient; 16 where nothing is known yet.
            missing = {component: [16] * _COEFFICIENTS for component in frame.sampling}
        elif segment.marker == START_OF_SCAN and frame is not None:
            scans += 1
            _count_scan(payload, frame.progressive, missing)
            whole = not any(any(bits) for bits in missing.values())
            if scans > max_scans or (whole and not frame.progressive and frame.size[1]):
                break
        elif segment.marker == _NUMBER_OF_LINES and len(payload) >= 2:
            lines = int.from_bytes(payload[:2], "big")
    if frame is None or not scans:
        return None
    complete = not any(any(bits) for bits in missing.values())
    return Structure(frame, scans, complete, lines)


def read_late_height(data: bytes, max_scans: int) -> Structure | None:
    """Return the structure of a JPEG whose height is stated after its first scan, else None."""
    for segment in segments(data):
        if segment.marker in _FRAMES:
            if data[segment.payload + 1 : segment.payload + 3] != b"\0\0":
                return None
            structure = read_structure(data, max_scans)
            return structure if structure is not None and structure.lines else None
    return None


def with_height(data: bytes, structure: Structure) -> bytes:
    """Return the file with the height in its header that is only stated after the first scan."""
    at = structure.frame.height_at
    return data[:at] + structure.lines.to_bytes(2, "big") + data[at + 2 :]


def decode_strictly(data: bytes, mode: str, factor: int, size: tuple[int, int]) -> Image.Image:
    """Decode a JPEG, or raise if anything in it is missing or damaged.

    Args:
        data: content of the file.
        mode: of the image: "L", "RGB" or "CMYK".
        factor: by which it comes reduced: 1, 2, 4 or 8.
        size: width and height at full resolution.

    Raises:
        ValueError: with libjpeg's warning or error.
    """
    width, height = (-(-side // factor) for side in size)

    def decode(content: bytes) -> Image.Image:
        pixels = simplejpeg.decode_jpeg(
            content, _COLORS[mode], min_height=height, min_width=width, min_factor=factor
        )
        return Image.fromarray(pixels[..., 0] if mode == "L" else pixels, mode)

    if (position := find_zeros(data)) is not None:
        raise ValueError(f"zeros were written over the picture from byte {position} on")
    try:
        return decode(data)
    except ValueError as error:
        if not any(hint in str(error) for hint in ("extraneous bytes", "Premature end")):
            raise
        repaired = _without_padding(data)
        if repaired == data:
            raise
    return decode(repaired)


def explain_damage(error: ValueError, name: str) -> PhotoError:
    """Turn libjpeg's warning into the PhotoError that a person can act on."""
    text = str(error)
    if "remature end" in text:
        return PhotoError(
            "truncated",
            name,
            f"this JPEG file is cut short ({text}). A photo with missing parts is not judged; "
            "copy or download it again.",
        )
    return PhotoError(
        "corrupt", name, f"this JPEG file is damaged ({text}). Copy or download it again."
    )


def _read_frame(marker: int, payload: bytes, start: int) -> Frame | None:
    if len(payload) < 6 or len(payload) < 6 + 3 * payload[5] or not payload[5]:
        return None
    height, width = (int.from_bytes(payload[at : at + 2], "big") for at in (1, 3))
    factors = {}
    for component in range(6, 6 + 3 * payload[5], 3):
        horizontal, vertical = divmod(payload[component + 1], 16)
        if not 1 <= horizontal <= 4 or not 1 <= vertical <= 4:
            return None
        factors[payload[component]] = (horizontal, vertical)
    return Frame(start + 1, (width, height), factors, marker in _PROGRESSIVE)


def _count_scan(payload: bytes, progressive: bool, missing: dict[int, list[int]]) -> None:
    """Note which bits of which coefficients a scan codes."""
    count = payload[0] if payload else 0
    if len(payload) < 4 + 2 * count:
        return
    first, last, precision = payload[1 + 2 * count : 4 + 2 * count]
    low_bit = precision % 16
    if not progressive:
        first, last, low_bit = 0, _COEFFICIENTS - 1, 0
    for component in payload[1 : 1 + 2 * count : 2]:
        bits = missing.get(component)
        if bits is not None:
            for index in range(first, min(last, _COEFFICIENTS - 1) + 1):
                bits[index] = min(bits[index], low_bit)


def _without_padding(data: bytes) -> bytes:
    """Drop stray bytes of the header and zeros in front of the end marker, which is added if lost.

    The zeros may be the last byte of the picture, so one stays; libjpeg does not mind it.
    """
    parts = [data[:2]]
    for segment in segments(data):
        if segment.marker == START_OF_SCAN:
            break
        parts.append(data[segment.start : segment.end])
    else:
        return data
    end = end_of_image(data, segment.end)
    body = data[segment.start : end]
    trimmed = body.rstrip(b"\0")
    if len(trimmed) < len(body):
        trimmed += b"\0"
    return b"".join([*parts, trimmed, END])
