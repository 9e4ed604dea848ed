"""The allow-list of photo formats: recognizing a file by its content, and opening its header.

Pillow's format classes are used directly instead of ``Image.open``: the content decides which
one, so no parser outside this list ever sees a byte, and Pillow's process-wide pixel limit and
its warnings stay out of the way. ``trigger.photo.pixels`` decodes what is opened here.
"""

from __future__ import annotations

import contextlib
import io
import re
import threading
import warnings
from collections.abc import Iterator

from PIL import (
    GifImagePlugin,
    ImageFile,
    JpegImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from trigger.errors import PhotoError
from trigger.photo.bmp import Bmp
from trigger.photo.png import Png
from trigger.photo.tiff import Tiff, select_photo

SUPPORTED = "JPEG, PNG, WebP, AVIF, HEIF, TIFF, BMP and GIF"

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
# Formats people do try, to say "not supported" instead of "not a photo".
_OTHER_MAGIC = {
    b"8BPS": "Photoshop",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"%PDF": "PDF",
    b"\0\0\1\0": "Windows icon",
    b"P5": "portable graymap",
    b"P6": "portable pixmap",
    b"<svg": "SVG",
    b"FUJIFILM": "camera raw",
    b"IIRO": "camera raw",
    b"IIRS": "camera raw",
    b"MMOR": "camera raw",
    b"IIU\0": "camera raw",
    b"II*\0": "camera raw",  # Canon's, after TIFF has been looked for
}
_CANON_RAW = b"CR"  # behind the TIFF header; its first picture is a preview

# catch_warnings swaps process-wide state, so only one thread at a time may be inside it.
_warnings_lock = threading.Lock()


class _Jpeg(JpegImagePlugin.JpegImageFile):
    """A JPEG whose EXIF is not parsed on opening: broken EXIF must neither warn nor fail."""

    def _read_dpi_from_exif(self) -> None:
        pass


_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": _Jpeg,
    "PNG": Png,
    "WebP": WebPImagePlugin.WebPImageFile,
    "TIFF": Tiff,
    "BMP": Bmp,
    "GIF": GifImagePlugin.GifImageFile,
}


def detect_format(data: bytes, name: str) -> str:
    """Name the format of ``data`` from its first bytes; the file's extension plays no part.

    Raises:
        PhotoError: ``unsupported-format`` for a known format outside the allow-list,
            ``not-a-photo`` for anything else.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(_TIFF_MAGIC) and data[8:10] != _CANON_RAW:
        return "TIFF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    other = next((kind for magic, kind in _OTHER_MAGIC.items() if data.startswith(magic)), None)
    if data[4:8] == b"ftyp":
        size = min(int.from_bytes(data[:4], "big"), 256)
        brands = {data[8:12], *(data[i : i + 4] for i in range(16, size, 4))}
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if brands & _HEIF_BRANDS:
            return "HEIF"
        other = "video or camera raw"
    if other is not None:
        raise PhotoError(
            "unsupported-format",
            name,
            f"is a {other} file, which is not read here. Supported: {SUPPORTED}. "
            "Export it as JPEG or PNG.",
        )
    raise PhotoError(
        "not-a-photo",
        name,
        f"is not a photo: its content (it starts with {data[:12]!r}) matches no supported "
        f"format, whatever its name says. Supported: {SUPPORTED}.",
    )


def open_header(data: bytes, fmt: str, name: str) -> ImageFile.ImageFile:
    """Open ``data`` as ``fmt`` and parse its header; no pixels are decoded yet.

    Raises:
        PhotoError: ``unsupported-format`` when this installation lacks the decoder or the
            file holds a camera raw picture.
        Exception: whatever Pillow raises on a damaged header; ``explain`` makes it a PhotoError.
    """
    plugin = _PLUGINS.get(fmt) or _optional_plugin(fmt, name)
    if fmt == "JPEG":
        return plugin(io.BytesIO(data))
    if fmt == "HEIF":
        _check_item_names(data)
    with silence():
        image = plugin(io.BytesIO(data))
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            select_photo(image, name)
    return image


def _optional_plugin(fmt: str, name: str) -> type[ImageFile.ImageFile]:
    if fmt == "HEIF":
        try:
            import pi_heif
        except ImportError:
            raise PhotoError(
                "unsupported-format",
                name,
                "is a HEIF (HEIC) photo; reading it needs one more package: "
                "pip install '.[heif]' in the folder of this project",
            ) from None
        heif: type[ImageFile.ImageFile] = pi_heif.HeifImageFile
        return heif
    from PIL import AvifImagePlugin

    if AvifImagePlugin.SUPPORTED:
        return AvifImagePlugin.AvifImageFile
    raise PhotoError(
        "unsupported-format",
        name,
        "is an AVIF photo, which the installed Pillow was built without; the wheels of PyPI can "
        "read it: pip install --force-reinstall --only-binary pillow 'pillow>=11.3'",
    )


def _check_item_names(data: bytes) -> None:
    """Raise ValueError for HEIF items whose type or name is not text: pi_heif crashes on them."""
    for box in re.finditer(rb"(....)infe([\2\3])", data, re.DOTALL):
        item_id_size = 2 if box[2] == b"\2" else 4
        text = data[box.end() + 3 + item_id_size + 2 : box.start() + int.from_bytes(box[1], "big")]
        text.decode()


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Drop the warnings that Pillow gives of odd metadata."""
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
