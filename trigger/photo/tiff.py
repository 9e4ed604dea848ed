"""Open and check TIFFs: which page is the photo, and whether its data are whole."""

from __future__ import annotations

import ctypes
import functools
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image, ImageFile, TiffImagePlugin, TiffTags, _imaging

from trigger.errors import PhotoError
from trigger.photo import tiff_samples as fields
from trigger.photo.jpeg import decode_strictly, read_structure
from trigger.photo.limits import Cost, Limits, check_cost
from trigger.photo.tiff_samples import Tags, decode_samples, is_for_pillow

logger = logging.getLogger(__name__)
# Pillow logs errors of TIFF headers; without any handler, logging prints them.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_SUBFILE_TYPE, _JPEG_TABLES, _DNG_VERSION = 254, 347, 50706
_REDUCED = 1  # bit of the subfile type
_MAX_PAGES = 50  # that are searched for the photo
_NO_COMPRESSION, _JPEG = 1, 7
_YCBCR = 6
_NARROW = 63  # of 255: 16-bit colors this dark may be of 14 bits or fewer


class Tiff(TiffImagePlugin.TiffImageFile):
    """A TIFF without Pillow's own limit of pixels, since ours has been checked."""

    def load_prepare(self) -> None:
        """Allocate the image."""
        if self._im is None:
            self.im = _imaging.new(self.mode, self._tile_size)
        ImageFile.ImageFile.load_prepare(self)


def select_photo(image: TiffImagePlugin.TiffImageFile, name: str) -> None:
    """Turn to the first page that is not a reduced copy of another.

    Raises:
        PhotoError: ``unsupported-format``: there is none, as in camera raw files.
    """
    tags = image.tag_v2
    if _DNG_VERSION not in tags:
        for page in range(_MAX_PAGES):
            try:
                image.seek(page)
            except EOFError:
                break
            if not image.tag_v2.get(_SUBFILE_TYPE, 0) & _REDUCED:
                return
    raise PhotoError(
        "unsupported-format",
        name,
        "is a camera raw file, or holds reduced copies of a photo only. "
        "Develop it and export it as JPEG or PNG.",
    )


def read_all_tags(image: TiffImagePlugin.TiffImageFile) -> None:
    """Read all tags now, so that decoding has none left to warn of."""
    dict(image.tag_v2)
    exif = image.getexif()
    for group in TiffTags.TAGS_V2_GROUPS:
        if group in exif:
            exif.get_ifd(group)


def load(
    image: TiffImagePlugin.TiffImageFile, data: bytes, name: str, limits: Limits
) -> Image.Image:
    """Decode the page that was selected.

    Raises:
        PhotoError: decoding takes more memory than the limits.
        OSError, ValueError: damaged, incomplete or of an unsupported kind.
    """
    tags = image.tag_v2
    with libtiff_errors() as errors:
        decoded: Image.Image = image
        if is_for_pillow(tags):
            _check_strips(tags, image.size, data)
            image.load()
        if not is_for_pillow(tags) or _may_be_narrow(image):
            memory = fields.memory_needed(tags, image.size)
            check_cost(Cost(memory, 0), "TIFF", name, limits)
            decoded = decode_samples(data, image)
    if errors:
        raise OSError(f"libtiff: {errors[0]}")
    return decoded


def _may_be_narrow(image: TiffImagePlugin.TiffImageFile) -> bool:
    """Whether colors of 16 bits may hold 14 bits or fewer: Pillow keeps the upper 8 bits only."""
    if max(image.tag_v2.get(fields.BITS, (1,))) != 16 or image.mode not in ("RGB", "RGBA", "RGBX"):
        return False
    return all(high <= _NARROW for _, high in image.getextrema()[:3])  # type: ignore[misc]


def _check_strips(tags: Tags, size: tuple[int, int], data: bytes) -> None:
    """Raise OSError if strips are shorter than their rows, or damaged JPEGs."""
    compression = tags.get(fields.COMPRESSION, _NO_COMPRESSION)
    offsets, counts = tags.get(fields.STRIP_OFFSETS, ()), tags.get(fields.STRIP_COUNTS, ())
    if compression == _JPEG:
        if fields.TILE_OFFSETS in tags:
            offsets, counts = tags[fields.TILE_OFFSETS], tags.get(fields.TILE_COUNTS, ())
        _check_jpegs(tags, offsets, counts, data)
    elif compression == _NO_COMPRESSION and len(offsets) == len(counts) and all(counts):
        samples = 1 if tags.get(fields.PLANAR, 1) == 2 else tags.get(fields.SAMPLES, 1)
        bits = max(tags.get(fields.BITS, (1,)))
        if tags.get(fields.PHOTOMETRIC) == _YCBCR:  # chroma may be subsampled
            return
        rows = min(tags.get(fields.ROWS_PER_STRIP, size[1]), size[1])
        for index, count in enumerate(counts):
            strips = max(1, -(-size[1] // rows))
            left = min(rows, size[1] - index % strips * rows)
            if count < (size[0] * samples * bits + 7) // 8 * left:
                raise OSError(f"image file is truncated: strip {index} has only {count} bytes")


def _check_jpegs(tags: Tags, offsets: Any, counts: Any, data: bytes) -> None:
    """Decode the JPEGs of strips or tiles, reduced, for libjpeg's warnings alone."""
    tables = tags.get(_JPEG_TABLES, b"")
    for offset, count in zip(offsets, counts, strict=False):
        strip = data[offset : offset + count]
        whole = tables[:-2] + strip[2:] if len(tables) > 4 else strip
        structure = read_structure(whole, 1)
        if structure is None:
            raise OSError("image file is truncated: a strip holds no JPEG")
        mode = {1: "L", 3: "RGB", 4: "CMYK"}.get(len(structure.frame.sampling))
        if mode is not None:
            decode_strictly(whole, mode, 8, structure.frame.size)


# libtiff reports errors to one handler per process, by default one that prints them; Pillow leaves
# it in place and returns pixels in spite of errors. Ours is set only while a TIFF is decoded.
_Handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
_recorded = threading.local()
_lock = threading.Lock()
_decoding = 0
_previous: int | None = None


def _record_error(module: bytes | None, message: bytes | None, _arguments: int | None) -> None:
    text = b": ".join(part for part in (module, message) if part).decode(errors="replace")
    errors: list[str] | None = getattr(_recorded, "errors", None)
    if errors is None:
        logger.debug("libtiff: %s", text)
    else:
        errors.append(text)


_record = _Handler(_record_error)  # kept, since libtiff calls it


@functools.cache
def _set_handler() -> Callable[[Any], int | None] | None:
    """Return libtiff's function that sets the handler; None if it is out of reach, as on Windows,
    where libtiff is a part of Pillow's module.
    """
    try:
        function = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (AttributeError, OSError):
        return None
    function.restype = ctypes.c_void_p
    function.argtypes = [ctypes.c_void_p]
    setter: Callable[[Any], int | None] = function
    return setter


@contextmanager
def libtiff_errors() -> Iterator[list[str]]:
    """Collect libtiff's error messages of this thread instead of having them printed."""
    global _decoding, _previous
    set_handler = _set_handler()
    with _lock:
        _decoding += 1
        if _decoding == 1 and set_handler is not None:
            _previous = set_handler(ctypes.cast(_record, ctypes.c_void_p))
    _recorded.errors = []
    try:
        yield _recorded.errors
    finally:
        _recorded.errors = None
        with _lock:
            _decoding -= 1
            if _decoding == 0 and set_handler is not None:
                set_handler(_previous)
