"""XMP packets: detect motion photos and gain maps, and remove their descriptions."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

_CAMERA = "http://ns.google.com/photos/1.0/camera/"
_NOTE = "http://ns.adobe.com/xmp/note/"
_STALE = (  # namespaces that describe only pictures, clips and sounds in the same file
    "http://ns.google.com/photos/1.0/container/",
    "http://ns.google.com/photos/1.0/image/",
    "http://ns.google.com/photos/1.0/audio/",
    "http://ns.google.com/photos/1.0/depthmap/",
    "http://ns.adobe.com/hdr-gain-map/1.0/",
    "http://ns.apple.com/HDRGainMap/1.0/",
)
_CLIP = ("MicroVideo", "MotionPhoto")  # beginnings of names in the namespace of the camera
_START = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_END = b'<?xpacket end="w"?>'


def describes_clip(packet: bytes) -> bool:
    """Whether the packet describes the clip of a motion photo."""
    return any(name.encode() in packet for name in _CLIP)


def describes_gain_map(packet: bytes) -> bool:
    """Whether the packet describes a gain map (Ultra HDR, Apple HDR)."""
    return any(word in packet for word in (b"hdr-gain-map", b"GainMap"))


def holds_picture(packet: bytes) -> bool:
    """Whether a further picture is inside the packet itself, such as that for the right eye."""
    return b"GImage:Data" in packet or b"GImage:Mime" in packet


def without_extras(packet: bytes) -> bytes:
    """Remove descriptions of clips, further pictures and gain maps; keep all else.

    Returns:
        The packet; the same object if it describes none of that, or cannot be parsed.
    """
    try:
        for _, (prefix, uri) in ET.iterparse(io.BytesIO(packet), ["start-ns"]):
            ET.register_namespace(prefix, uri)
        root = ET.fromstring(packet)
    except (ET.ParseError, ValueError):
        return packet
    stale = 0
    for parent in root.iter():
        attributes = [name for name in parent.attrib if _is_stale(name)]
        children = [child for child in parent if _is_stale(child.tag)]
        for name in attributes:
            del parent.attrib[name]
        for child in children:
            parent.remove(child)
        stale += len(attributes) + len(children)
    return packet if not stale else _START + ET.tostring(root, "utf-8") + _END


def _is_stale(name: str) -> bool:
    namespace, _, word = name.removeprefix("{").rpartition("}")
    if namespace == _CAMERA:
        return word.startswith(_CLIP)
    return namespace.startswith(_STALE) or (namespace, word) == (_NOTE, "HasExtendedXMP")
