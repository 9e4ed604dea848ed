"""JPEG: the application and comment segments, and what follows the picture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.enhancers.metadata import xmp
from pipelines.enhancers.metadata.carrier import Carry, size_in_words

_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")  # none of 0xFF00, restarts and fill bytes
_START, _END, _TEMPORARY, _COMMENT = 0xD8, 0xD9, 0x01, 0xFE
_APP0, _APP1, _APP2, _APP11, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xEB, 0xEE, 0xEF
_JFIF, _JFIF_EXTENSION, _ADOBE = b"JFIF\0", b"JFXX\0", b"Adobe"
_EXIF, _PROFILE, _PICTURES = b"Exif\0", b"ICC_PROFILE\0", b"MPF\0"
_XMP, _XMP_MORE = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0"
_SAMSUNG, _SAMSUNG_CLIP = b"SEFT", b"MotionPhoto"
_JUMBF = b"JP"
_JFIF_HEAD = 14  # bytes of content before the thumbnail
_MAX_CONTENT = 65_533


@dataclass(frozen=True)
class Segment:
    """A segment of metadata: its marker (0xE0 to 0xEF, 0xFE) and its content."""

    marker: int
    content: bytes

    def __bytes__(self) -> bytes:
        length = len(self.content) + 2
        return bytes([0xFF, self.marker]) + length.to_bytes(2, "big") + self.content

    def holds(self, marker: int, start: bytes) -> bool:
        """Whether it is of this kind."""
        return self.marker == marker and self.content.startswith(start)


def split(data: bytes) -> tuple[list[Segment], bytes]:
    """Return the segments of metadata, wherever they are, and what follows the end marker."""
    segments: list[Segment] = []
    position = 2
    while found := _MARKER.search(data, position):
        marker, position = found[1][0], found.end()
        if marker == _END:
            return segments, data[position:]
        if marker in (_START, _TEMPORARY):
            continue
        end = position + int.from_bytes(data[position : position + 2], "big")
        if _APP0 <= marker <= _APP15 or marker == _COMMENT:
            segments.append(Segment(marker, data[position + 2 : end]))
        position = max(end, position + 2)
    return segments, b""


def extras(data: bytes) -> list[str]:
    """What an enhanced copy cannot hold, in words."""
    segments, trailer = split(data)
    return [*_in_segments(segments), *_in_trailer(segments, trailer)]


def carry(encoded: bytes, original: bytes, how: Carry) -> bytes:
    """Give an encoded picture the metadata of another file, without what ``extras`` names.

    Args:
        encoded: as Pillow writes it, with a JFIF segment and no metadata.
        original: the file with the metadata.
        how: see ``Carry``.
    """
    segments, trailer = split(original)
    given_up = bool(extras(original))
    kept = list(_kept(segments, how, given_up))
    (jfif,), position = split(encoded)[0], encoded.index(b"\xff\xdb")
    if not any(segment.holds(_APP0, _JFIF) for segment in kept):
        kept.insert(0, jfif)
    kept += _profile_segments(how.profile or b"")
    if not _is_kept_trailer(trailer):
        trailer = b""
    return b"\xff\xd8" + b"".join(map(bytes, kept)) + encoded[position:] + trailer


def _in_segments(segments: list[Segment]) -> Iterator[str]:
    if any(segment.holds(_APP2, _PICTURES) for segment in segments):
        yield f"further pictures (MPF){_purpose(segments)}"
    if any(segment.holds(_APP11, _JUMBF) for segment in segments):
        content = b"".join(s.content for s in segments if s.holds(_APP11, _JUMBF))
        if b"c2pa" in content:
            yield "content credentials (C2PA), whose signature holds for the old pixels alone"
        else:
            yield "further layers of the old pixels (APP11 boxes)"
    if any(xmp.holds_picture(s.content) for s in segments if s.marker == _APP1):
        yield "a further picture in its XMP data, such as that for the other eye"


def _in_trailer(segments: list[Segment], trailer: bytes) -> Iterator[str]:
    if _is_kept_trailer(trailer) or not trailer.strip(b"\0\xff\r\n\t "):
        return
    size = size_in_words(trailer)
    packets = _packets(segments)
    if b"ftyp" in trailer or _SAMSUNG_CLIP in trailer or xmp.describes_clip(packets):
        yield f"the clip of a motion photo ({size})"
    elif b"\xff\xd8\xff" in trailer:
        if not any(segment.holds(_APP2, _PICTURES) for segment in segments):
            yield f"further pictures behind the first{_purpose(segments)} ({size})"
    else:
        yield f"{size} of unknown purpose behind the picture"


def _is_kept_trailer(trailer: bytes) -> bool:
    """Whether these are notes of a Samsung phone, which count offsets from their own end."""
    return trailer.endswith(_SAMSUNG) and not (_SAMSUNG_CLIP in trailer or b"ftyp" in trailer)


def _purpose(segments: list[Segment]) -> str:
    noted = any(segment.holds(_APP2, _GAIN_MAP) for segment in segments)
    if noted or xmp.describes_gain_map(_packets(segments)):
        return ", among them the gain map of an HDR photo"
    return ""


def _packets(segments: list[Segment]) -> bytes:
    return b"".join(s.content for s in segments if s.holds(_APP1, _XMP))


def _kept(segments: list[Segment], how: Carry, given_up: bool) -> Iterator[Segment]:
    picture_in_xmp = any(xmp.holds_picture(s.content) for s in segments if s.marker == _APP1)
    for segment in segments:
        content = segment.content
        if _belongs_to_old_pixels(segment) or (
            segment.holds(_APP2, _PROFILE) and how.profile is not None
        ):
            continue
        if segment.holds(_APP0, _JFIF):  # its thumbnail shows the old pixels
            if len(content) >= _JFIF_HEAD:
                yield Segment(_APP0, content[: _JFIF_HEAD - 2] + b"\0\0")
        elif segment.holds(_APP1, _EXIF):
            yield Segment(_APP1, how.renew_exif(content))
        elif (given_up and segment.holds(_APP2, _GAIN_MAP)) or (
            picture_in_xmp and segment.holds(_APP1, _XMP_MORE)
        ):
            continue
        elif given_up and segment.holds(_APP1, _XMP):
            packet = xmp.without_extras(content[len(_XMP) :])
            fits = len(_XMP) + len(packet) <= _MAX_CONTENT
            yield Segment(_APP1, _XMP + packet) if fits else segment
        else:
            yield segment


def _profile_segments(profile: bytes) -> list[Segment]:
    """Cut an ICC profile into as many segments as it takes."""
    size = _MAX_CONTENT - len(_PROFILE) - 2
    parts = [profile[start : start + size] for start in range(0, len(profile), size)]
    return [
        Segment(_APP2, _PROFILE + bytes([number, len(parts)]) + part)
        for number, part in enumerate(parts, start=1)
    ]


def _belongs_to_old_pixels(segment: Segment) -> bool:
    """Whether it is another thumbnail, how pixels were encoded, or what ``extras`` names."""
    return (
        segment.holds(_APP0, _JFIF_EXTENSION)
        or segment.holds(_APP14, _ADOBE)
        or segment.holds(_APP2, _PICTURES)
        or segment.holds(_APP11, _JUMBF)
    )
