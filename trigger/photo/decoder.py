"""The one decoder: every photo that enters the project is read here.

Limits come first (file size, format allow-list, pixels promised by the header, memory and time),
then the pixels: upright, 8-bit RGB, first frame, transparency on white, colors converted to sRGB
by the embedded ICC profile. Any photo that cannot be read raises PhotoError and nothing else.
A file that is incomplete or damaged is an error, not half a photo in gray.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from trigger.errors import OptionError, PhotoError
from trigger.photo.color import ProfileUse, to_srgb
from trigger.photo.content import check_size, read_photo_bytes, read_to_end
from trigger.photo.explain import explain
from trigger.photo.formats import detect_format, open_header
from trigger.photo.interruptible import call_interruptibly
from trigger.photo.jpeg import read_late_height, with_height
from trigger.photo.limits import DEFAULT_LIMITS, Limits, check_pixels
from trigger.photo.pixels import load, load_jpeg
from trigger.photo.rgb import GRAY_MODES, to_rgb
from trigger.photo.upright import orientation, to_upright

logger = logging.getLogger(__name__)

Pixels = npt.NDArray[np.uint8]
_LARGE = 20_000_000  # pixels, from which on decoding may take a noticeable time
PhotoSource = str | os.PathLike[str] | bytes | BinaryIO | Image.Image | Pixels
"""A path, the content of a file, an open binary file, a Pillow image or (H, W, 3) uint8 RGB."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo.

    Attributes:
        image: upright 8-bit sRGB. Smaller than ``width`` x ``height`` where ``read_photo`` was
            allowed to reduce it (``at_least``).
        name: the path, or what the caller called it.
        format: "JPEG", "PNG", ... as found in the content; "array" or "image" for pixels.
        width: pixels across, of the full upright photo.
        height: pixels down, of the full upright photo.
        icc_profile: as embedded in the file; empty if there is none. ``image`` is sRGB whatever
            it says; ``trigger.photo.color.from_srgb`` converts back.
        profile_use: what became of the profile: "none" (there is none), "srgb" (it describes
            sRGB), "converted" or "broken" (pixels were taken for sRGB).
    """

    image: Image.Image
    name: str
    format: str
    width: int
    height: int
    icc_profile: bytes = b""
    profile_use: ProfileUse = "none"

    @functools.cached_property
    def pixels(self) -> Pixels:
        """The image as (H, W, 3) uint8 RGB, read-only."""
        return np.asarray(self.image)


def read_photo(
    source: PhotoSource,
    *,
    name: str | None = None,
    at_least: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Photo:
    """Read a photo as upright 8-bit sRGB.

    Args:
        source: see ``PhotoSource``. A file object is read from its position to its end. A
            Pillow image is not changed, but for being loaded.
        name: what errors and results call the photo; by default its path.
        at_least: if given, a JPEG may come reduced by 2, 4 or 8 (which halves the time of a
            12-megapixel one) as long as its shorter side keeps this many pixels.
        limits: of size, memory and time.

    Raises:
        PhotoError: the photo cannot be read; ``reason`` says why.
        OptionError: ``at_least`` is not a positive number.

    Example:
        >>> photo = read_photo("IMG_0042.jpg")  # doctest: +SKIP
        >>> photo.width, photo.height, photo.profile_use  # doctest: +SKIP
        (4032, 3024, 'converted')
    """
    if at_least is not None and at_least < 1:
        raise OptionError(f"at_least is {at_least}; it must be 1 or more pixels, or None")
    if isinstance(source, np.ndarray):
        return _from_array(source, name or "array", limits)
    if isinstance(source, Image.Image):
        label = name or _as_text(getattr(source, "filename", "")) or "image"
        return _from_image(source, label, limits)
    if isinstance(source, str | os.PathLike):
        label = name or os.fsdecode(source)
        return _decode(read_photo_bytes(source, label, limits.file_bytes), label, at_least, limits)
    if isinstance(source, bytes | bytearray | memoryview):
        label = name or "bytes"
        return _decode(check_size(bytes(source), label, limits.file_bytes), label, at_least, limits)
    if hasattr(source, "read"):
        label = name or _as_text(getattr(source, "name", "")) or "file object"
        return _decode(read_to_end(source, label, limits.file_bytes), label, at_least, limits)
    raise PhotoError(
        "not-a-photo",
        name or type(source).__name__,
        f"received {type(source).__name__}; a photo is a path, bytes, a file opened in binary "
        "mode, a PIL.Image or a numpy array of shape (height, width, 3) and dtype uint8.",
    )


def is_photo_source(value: object) -> bool:
    """Whether a value is one photo for ``read_photo``, judged by its type alone."""
    if isinstance(value, np.ndarray):
        return value.ndim <= 3
    whole = (str, bytes, bytearray, memoryview, os.PathLike, Image.Image)
    return isinstance(value, whole) or hasattr(value, "read")


def _as_text(name: object) -> str:
    """Return the name of a file object as text: a path, a descriptor's number, or nothing."""
    if name is None:
        return ""
    return os.fsdecode(name) if isinstance(name, bytes) else str(name)


def _decode(data: bytes, name: str, at_least: int | None, limits: Limits) -> Photo:
    fmt = detect_format(data, name)
    if fmt == "JPEG":
        data = _with_late_height(data, limits)
    try:
        image = open_header(data, fmt, name)
        check_pixels(*image.size, name, limits)
        size, turn = image.size, orientation(image)
        decode = functools.partial(
            _load, image, data, fmt, name, at_least=at_least, rotated=turn > 1, limits=limits
        )
        large = size[0] * size[1] >= _LARGE
        decoded = call_interruptibly(decode) if large else decode()
        del decode
        if fmt != "JPEG":
            turn = orientation(image)  # the EXIF data of a PNG may follow its pixels
            size = decoded.size  # Pillow and pi_heif turn TIFF and HEIF upright
        profile = image.info.get("icc_profile") or b""
        del image  # its pixels are not needed besides those made of them
        photo = _to_photo(decoded, turn, profile, name, fmt)
    except PhotoError:
        raise
    except Exception as error:  # Pillow raises almost anything on crafted files
        raise explain(error, data, fmt, name) from error
    width, height = size[::-1] if turn >= 5 else size
    return dataclasses.replace(photo, width=width, height=height)


def _load(
    image: ImageFile.ImageFile,
    data: bytes,
    fmt: str,
    name: str,
    *,
    at_least: int | None,
    rotated: bool,
    limits: Limits,
) -> Image.Image:
    if fmt == "JPEG":
        return load_jpeg(image, data, name, at_least=at_least, rotated=rotated, limit=limits)
    return load(image, data, fmt, name, rotated=rotated, limit=limits)


def _with_late_height(data: bytes, limits: Limits) -> bytes:
    """Put the height into the header of a JPEG that states it after its first scan."""
    if (structure := read_late_height(data, limits.scans)) is None:
        return data
    return with_height(data, structure)


def _to_photo(decoded: Image.Image, turn: int, icc_profile: bytes, name: str, fmt: str) -> Photo:
    """Convert what a decoder made to upright sRGB."""
    gray = decoded.mode in GRAY_MODES
    # A profile for CMYK needs CMYK; in LAB, colors do not depend on a profile.
    usable = b"" if decoded.mode == "LAB" else icc_profile
    rgb = decoded if decoded.mode == "CMYK" and usable else to_rgb(decoded)
    converted, use = to_srgb(rgb, usable, gray=gray) if usable else (rgb, "none")
    if use == "broken":
        logger.debug("%s: its ICC profile is broken; taken for sRGB", name)
    upright = to_upright(converted, turn)
    upright.info.clear()  # what it says of orientation and transparency has been dealt with
    return Photo(upright, name, fmt, *upright.size, icc_profile=icc_profile, profile_use=use)


def _from_image(image: Image.Image, name: str, limits: Limits) -> Photo:
    check_pixels(*image.size, name, limits)
    file = getattr(image, "fp", None)
    closed = file is None or file.closed  # also after a photo was loaded
    try:
        image.load()
        profile = image.info.get("icc_profile") or b""
        mine = image.copy() if image.mode == "RGB" else image  # the caller may draw on theirs
        return _to_photo(mine, orientation(image), profile, name, image.format or "image")
    except Exception as error:  # a lazily opened image is decoded only now
        if closed:
            raise PhotoError(
                "unreadable", name, "is a closed Pillow image; pass it before it is closed."
            ) from error
        raise explain(error, b"", image.format or "image", name) from error


def _from_array(array: npt.NDArray[np.generic], name: str, limits: Limits) -> Photo:
    def refuse(fix: str) -> PhotoError:
        return PhotoError(
            "bad-array",
            name,
            f"has shape {array.shape} and dtype {array.dtype}; a photo is a numpy array of shape "
            f"(height, width, 3) and dtype uint8, in RGB order. {fix}",
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
    check_pixels(width, height, name, limits)
    return Photo(Image.fromarray(array), name, "array", width, height)
