"""WebP: the chunks of metadata, and what follows the picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.enhancers.metadata.carrier import Carry, size_in_words

_HEADER = 12  # bytes: RIFF, size, WEBP
_EXTENDED, _PROFILE, _EXIF, _XMP, _CREDENTIALS = b"VP8X", b"ICCP", b"EXIF", b"XMP ", b"C2PA"
_ENCODING = frozenset({_EXTENDED, b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"})
_FLAGS = {_PROFILE: 0x20, _EXIF: 0x08, _XMP: 0x04}


@dataclass(frozen=True)
class Chunk:
    """A chunk of a RIFF file."""

    kind: bytes
    content: bytes

    def __bytes__(self) -> bytes:
        padding = b"\0" * (len(self.content) % 2)
        return self.kind + len(self.content).to_bytes(4, "little") + self.content + padding


def split(data: bytes) -> tuple[list[Chunk], bytes]:
    """Return the chunks, and what follows the last one."""
    end = min(8 + int.from_bytes(data[4:8], "little"), len(data))
    chunks, position = [], _HEADER
    while position + 8 <= end:
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        content = data[position + 8 : min(position + 8 + length, end)]
        chunks.append(Chunk(data[position : position + 4], content))
        position += 8 + length + length % 2
    return chunks, data[end:]


def is_lossless(data: bytes) -> bool:
    """Whether the picture is stored without loss."""
    return any(chunk.kind == b"VP8L" for chunk in split(data)[0])


def extras(data: bytes) -> list[str]:
    """What an enhanced copy cannot hold, in words."""
    chunks, trailer = split(data)
    lost = []
    if any(chunk.kind == _CREDENTIALS for chunk in chunks):
        lost.append("content credentials (C2PA), whose signature holds for the old pixels alone")
    if trailer.strip(b"\0\r\n\t "):
        clip = "the clip of a motion photo" if b"ftyp" in trailer else "data"
        lost.append(f"{clip} behind the picture ({size_in_words(trailer)})")
    return lost


def carry(encoded: bytes, original: bytes, how: Carry, size: tuple[int, int]) -> bytes:
    """Give an encoded picture the metadata of another file, without what ``extras`` names.

    Args:
        encoded: a picture without metadata.
        original: the file with the metadata.
        how: see ``Carry``.
        size: width and height of the picture.
    """
    kept = list(_kept(split(original)[0], how))
    if how.profile:
        kept.append(Chunk(_PROFILE, how.profile))
    if not kept:
        return encoded
    flags = sum({_FLAGS.get(chunk.kind, 0) for chunk in kept})
    sides = b"".join((side - 1).to_bytes(3, "little") for side in size)
    picture = [chunk for chunk in split(encoded)[0] if chunk.kind in (b"VP8 ", b"VP8L")]
    profile = [chunk for chunk in kept if chunk.kind == _PROFILE]
    others = [chunk for chunk in kept if chunk.kind != _PROFILE]
    extended = Chunk(_EXTENDED, bytes([flags, 0, 0, 0]) + sides)
    body = b"WEBP" + b"".join(map(bytes, [extended, *profile, *picture, *others]))
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _kept(chunks: list[Chunk], how: Carry) -> Iterator[Chunk]:
    for chunk in chunks:
        if chunk.kind in _ENCODING or chunk.kind == _CREDENTIALS:
            continue
        if chunk.kind == _PROFILE and how.profile is not None:
            continue
        if chunk.kind == _EXIF:
            yield Chunk(_EXIF, how.renew_exif(chunk.content))
        else:
            yield chunk
