"""The one decoder: every photo that enters the project is read here.

Limits come first (file size, format allow-list, pixels promised by the header), then the
pixels: upright, 8-bit RGB, first frame, transparency on white, colours as stored. Any photo
that cannot be read raises PhotoError and nothing else. A file that ends too early is an error
("truncated"), not half a photo in gray.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from trigger.errors import OptionError, PhotoError
from trigger.photo.content import check_size, read_photo_bytes, read_to_end
from trigger.photo.formats import detect_format, explain, load_pixels, open_header
from trigger.photo.upright import is_sideways, to_upright_rgb

Pixels = npt.NDArray[np.uint8]
PhotoSource = str | os.PathLike[str] | bytes | BinaryIO | Image.Image | Pixels
"""A path, the content of a file, an open binary file, a Pillow image or (H, W, 3) uint8 RGB."""

MAX_PIXELS = 200_000_000
"""Room for the largest phone sensors (16320x12240)."""
MAX_SIDE = 65_500
"""The longest side of a JPEG that its decoders and encoders take."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo.

    Attributes:
        image: upright RGB, values as stored in the file. Smaller than ``width`` x ``height``
            where ``read_photo`` was allowed to (``at_least``).
        name: the path, or what the caller called it.
        format: "JPEG", "PNG", ... as found in the content; "array" or "image" for pixels.
        width: pixels across, of the full upright photo.
        height: pixels down, of the full upright photo.
    """

    image: Image.Image
    name: str
    format: str
    width: int
    height: int

    @functools.cached_property
    def pixels(self) -> Pixels:
        """The image as (H, W, 3) uint8 RGB, read-only."""
        return np.asarray(self.image)


def read_photo(
    source: PhotoSource, *, name: str | None = None, at_least: int | None = None
) -> Photo:
    """Read a photo as upright 8-bit RGB.

    Args:
        source: see ``PhotoSource``. A file object is read from its position to its end. A
            Pillow image is not changed, but for being loaded.
        name: what errors and results call the photo; by default its path.
        at_least: if given, a JPEG may come reduced by 2, 4 or 8 (which halves the time of a
            12-megapixel one) as long as its shorter side keeps this many pixels.

    Raises:
        PhotoError: the photo cannot be read; ``reason`` says why.
        OptionError: ``at_least`` is not a positive number.
    """
    if at_least is not None and at_least < 1:
        raise OptionError(f"at_least is {at_least}; it must be 1 or more pixels, or None")
    if isinstance(source, np.ndarray):
        return _from_array(source, name or "array")
    if isinstance(source, Image.Image):
        return _from_image(source, name or _as_text(getattr(source, "filename", "")) or "image")
    if isinstance(source, str | os.PathLike):
        label = name or os.fsdecode(source)
        return _decode(read_photo_bytes(source, label), label, at_least)
    if isinstance(source, bytes | bytearray | memoryview):
        label = name or "bytes"
        return _decode(check_size(bytes(source), label), label, at_least)
    if hasattr(source, "read"):
        label = name or _as_text(getattr(source, "name", "")) or "file object"
        return _decode(read_to_end(source, label), label, at_least)
    raise PhotoError(
        "not-a-photo",
        name or type(source).__name__,
        f"received {type(source).__name__}; a photo is a path, bytes, a file opened in binary "
        "mode, a PIL.Image or a numpy array of shape (height, width, 3) and dtype uint8.",
    )


def is_photo_source(value: object) -> bool:
    """Whether it stands for one photo: what ``read_photo`` takes, by its type alone."""
    if isinstance(value, np.ndarray):
        return value.ndim <= 3
    whole = (str, bytes, bytearray, memoryview, os.PathLike, Image.Image)
    return isinstance(value, whole) or hasattr(value, "read")


def _as_text(name: object) -> str:
    """What a file was opened by: a path, also as bytes, or a number; empty where it has no name."""
    if name is None:
        return ""
    return os.fsdecode(name) if isinstance(name, bytes) else str(name)


def _check_size(width: int, height: int, name: str) -> None:
    if width < 1 or height < 1:
        raise PhotoError("too-small", name, f"has {width}x{height} pixels; it needs at least 1x1.")
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise PhotoError(
            "too-many-pixels",
            name,
            f"has {width}x{height} pixels; at most {MAX_PIXELS // 10**6} megapixels and "
            f"{MAX_SIDE} per side are allowed. Save a smaller copy.",
        )


def _decode(data: bytes, name: str, at_least: int | None) -> Photo:
    fmt = detect_format(data, name)
    try:
        with open_header(data, fmt, name) as image:
            _check_size(*image.size, name)
            full = image.size[::-1] if is_sideways(image) else image.size
            reduced = at_least is not None and image.draft(None, (at_least, at_least)) is not None
            load_pixels(image, data, fmt)
            upright = to_upright_rgb(image)
    except PhotoError:
        raise
    except Exception as error:  # Pillow raises almost anything on crafted files
        raise explain(error, data, fmt, name) from error
    upright.info.clear()  # what it says of orientation and transparency has been dealt with
    return Photo(upright, name, fmt, *(full if reduced else upright.size))


def _from_image(image: Image.Image, name: str) -> Photo:
    _check_size(*image.size, name)
    file = getattr(image, "fp", None)
    closed = file is None or file.closed  # as that of a photo which is loaded, too
    try:
        image.load()
        upright = to_upright_rgb(image)
    except Exception as error:  # a lazily opened image is decoded only now
        if closed:
            raise PhotoError(
                "unreadable", name, "is a closed Pillow image; pass it before it is closed."
            ) from error
        raise explain(error, b"", image.format or "image", name) from error
    if upright is image:
        upright = image.copy()  # the caller may go on to draw on theirs
    upright.info.clear()
    return Photo(upright, name, image.format or "image", *upright.size)


def _from_array(array: npt.NDArray[np.generic], name: str) -> Photo:
    def refuse(mend: str) -> PhotoError:
        return PhotoError(
            "bad-array",
            name,
            f"has shape {array.shape} and dtype {array.dtype}; a photo is a numpy array of shape "
            f"(height, width, 3) and dtype uint8, in RGB order. {mend}",
        )

    if array.dtype.kind == "f":
        raise refuse("From 0..1 floats: (array * 255).round().astype('uint8')")
    if array.dtype != np.uint8:
        raise refuse("Scale the values to 0..255, then array.astype('uint8')")
    if array.ndim == 2:
        raise refuse("From gray: numpy.stack([array] * 3, axis=-1)")
    if array.ndim == 3 and array.shape[2] == 4:
        raise refuse("Without the alpha channel: array[..., :3]")
    if array.ndim == 3 and array.shape[2] != 3 and array.shape[0] == 3:
        raise refuse("From channels first: array.transpose(1, 2, 0)")
    if array.ndim == 4:
        raise refuse("Pass the photos of a batch one at a time")
    if array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise refuse("Check how it was made.")
    height, width = array.shape[:2]
    _check_size(width, height, name)
    return Photo(Image.fromarray(array), name, "array", width, height)
