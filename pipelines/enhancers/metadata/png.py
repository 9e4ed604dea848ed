"""PNG: the ancillary chunks, and what follows the picture."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.enhancers.metadata.carrier import Carry, size_in_words

_SIGNATURE = 8  # bytes
_COLOR_TYPE, _BIT_DEPTH = 9, 8  # bytes of IHDR
_ENCODING = frozenset(  # how the old pixels are encoded; iDOT is where Apple's decoder finds them
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"hIST", b"iDOT", b"acTL", b"fcTL", b"fdAT"}
)
_OF_COLOR_TYPE = frozenset({b"sBIT", b"bKGD"})  # have as many values as the color type
_KNOWN = frozenset(  # chunks that hold for any pixels, though their names suggest otherwise
    {b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI", b"mDCv", b"cLLi"}
    | {b"pCAL", b"sTER", b"tIME", *_OF_COLOR_TYPE}
)
_SPACE = frozenset({b"iCCP", b"sRGB"})  # at most one of them may be there
_CREDENTIALS, _SIGNED = b"caBX", b"dSIG"


@dataclass(frozen=True)
class Chunk:
    """A chunk of a PNG file."""

    kind: bytes
    content: bytes

    def __bytes__(self) -> bytes:
        checksum = zlib.crc32(self.kind + self.content)
        return (
            struct.pack(">L", len(self.content))
            + self.kind
            + self.content
            + struct.pack(">L", checksum)
        )


def split(data: bytes) -> tuple[list[Chunk], bytes]:
    """Return the chunks up to the end chunk, and what follows it."""
    chunks, position = [], _SIGNATURE
    while position + 8 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        chunks.append(Chunk(kind, data[position + 8 : position + 8 + length]))
        position += length + 12
        if kind == b"IEND":
            return chunks, data[position:]
    return chunks, b""


def bit_depth(data: bytes) -> int:
    """Bits per channel, or per index of a palette."""
    return split(data)[0][0].content[_BIT_DEPTH]


def extras(data: bytes) -> list[str]:
    """What an enhanced copy cannot hold, in words."""
    chunks, trailer = split(data)
    found = dict.fromkeys(chunk.kind for chunk in chunks if not _can_be_kept(chunk.kind))
    words = {
        _CREDENTIALS: "content credentials (C2PA), whose signature holds for the old pixels alone",
        _SIGNED: "a digital signature, which holds for the old pixels alone",
    }
    lost = [
        words.get(kind, f"a chunk {kind.decode('latin-1')}, which belongs to the old pixels")
        for kind in found
        if kind not in _ENCODING
    ]
    if trailer.strip(b"\0\r\n\t "):
        clip = "the clip of a motion photo" if b"ftyp" in trailer else "data"
        lost.append(f"{clip} behind the picture ({size_in_words(trailer)})")
    return lost


def carry(encoded: bytes, original: bytes, how: Carry) -> bytes:
    """Give an encoded picture the metadata of another file, without what ``extras`` names."""
    header, *pixels = [chunk for chunk in split(encoded)[0] if chunk.kind in _ENCODING]
    old = split(original)[0]
    same_type = header.content[_BIT_DEPTH : _COLOR_TYPE + 1] == old[0].content[_BIT_DEPTH:10]
    first = next((place for place, chunk in enumerate(old) if chunk.kind == b"IDAT"), len(old))
    before, after = (list(_kept(part, how, same_type)) for part in (old[:first], old[first:]))
    if how.profile:
        before.insert(0, Chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(how.profile)))
    *body, end = pixels
    chunks = [header, *before, *body, *after, end]
    return encoded[:_SIGNATURE] + b"".join(map(bytes, chunks))


def _can_be_kept(kind: bytes) -> bool:
    """The last letter of a chunk that can be copied to other pixels is small."""
    return kind in _KNOWN or kind[3:].islower()


def _kept(chunks: list[Chunk], how: Carry, same_type: bool) -> Iterator[Chunk]:
    for chunk in chunks:
        if chunk.kind in _ENCODING or not _can_be_kept(chunk.kind):
            continue
        if chunk.kind in _OF_COLOR_TYPE and not same_type:
            continue
        if chunk.kind in _SPACE and how.profile is not None:
            continue
        if chunk.kind == b"eXIf":
            yield Chunk(chunk.kind, how.renew_exif(chunk.content))
        else:
            yield chunk
