"""Re-encode pixels in an original's format, with its metadata."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageFile

from pipelines.data.pixels import Pixels
from pipelines.enhancers.metadata import bmp, jpeg, png, webp
from pipelines.enhancers.metadata.carrier import Carry
from pipelines.enhancers.metadata.exif import renew_thumbnail
from trigger.errors import PhotoError
from trigger.photo import read_photo
from trigger.photo.color import from_srgb
from trigger.photo.encode import encode
from trigger.photo.explain import explain
from trigger.photo.formats import detect_format, open_header, silence
from trigger.photo.upright import as_stored, orientation

WRITABLE = "JPEG, PNG, WebP and BMP"
_SETTINGS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "WebP": {"quality": 95, "method": 4},
    "BMP": {},
}
_EXTRAS = {"JPEG": jpeg.extras, "PNG": png.extras, "WebP": webp.extras, "BMP": bmp.extras}
_BAND = 256  # rows changed at a time, to save memory
TINT = 4
"""Mean spread of the channels, of 255, below which the enhanced version of a gray photo is gray."""


def check_writable(data: bytes, name: str, *, drop_extras: bool = False) -> tuple[str, ...]:
    """Make sure that ``reencode`` loses nothing that matters of this photo file.

    Args:
        data: content of a file that ``read_photo`` reads.
        name: what errors call it.
        drop_extras: accept the loss of what enhancing breaks: the clip of a motion photo, a gain
            map, further pictures, content credentials.

    Returns:
        What will be lost, in words; empty without ``drop_extras``.

    Raises:
        PhotoError: ``unsupported-format``: another format than ``WRITABLE``, several pictures,
            transparency, more than 8 bits per channel, or colors other than RGB and gray.
    """
    fmt = detect_format(data, name)
    if fmt not in _SETTINGS:
        raise _refusal(name, f"{fmt} files are read but not written")
    try:
        with open_header(data, fmt, name) as image:
            _check_picture(image, data, fmt, name)
        extras = tuple(_EXTRAS[fmt](data))
    except PhotoError:
        raise
    except Exception as error:  # Pillow raises almost anything on crafted files
        raise explain(error, data, fmt, name) from error
    if extras and not drop_extras:
        raise PhotoError(
            "unsupported-format",
            name,
            f"cannot be written without loss: it holds {'; '.join(extras)}. An enhanced copy "
            "cannot hold that; write one without it with --drop-extras",
        )
    return extras


def reencode(pixels: Pixels, data: bytes, name: str) -> bytes:
    """Encode pixels as a file of the format of another, with its metadata.

    EXIF, XMP, IPTC, comments, texts, ICC profile, resolution and color chunks are carried over
    byte for byte, but for the EXIF thumbnail, which is renewed in its place. Pixels are turned to
    the orientation that the EXIF data state. JPEG and lossy WebP get quality 95 (JPEG without
    chroma subsampling). Gray photos stay gray unless they were given colors. Pixels are converted
    to the space of the ICC profile; if that cannot be done, they are written as sRGB without it.

    Args:
        pixels: (H, W, 3) uint8, upright sRGB, as ``read_photo`` gives them.
        data: content of the original, which ``check_writable`` has accepted.
        name: what errors call it.

    Raises:
        PhotoError: the metadata cannot be written.
    """
    fmt = detect_format(data, name)
    try:
        with open_header(data, fmt, name) as original:
            with silence():
                original.load()  # the EXIF data of a PNG may follow the pixels
            turn = orientation(original)
            own_profile = original.info.get("icc_profile") or b""
            gray = original.mode in ("L", "LA", "La")
            dpi = original.info.get("dpi")
            stays_gray = gray and bool(np.ptp(pixels, axis=2).mean() < TINT)
            upright = Image.fromarray(pixels)
            image, profile = from_srgb(upright, own_profile, gray=stays_gray)
            stored = as_stored(image, turn)
            if profile == own_profile and image.mode == "RGB" and image is not upright:
                before, _ = from_srgb(read_photo(data, name=name).image, own_profile, gray=False)
                stored = _changed(original.convert("RGB"), as_stored(before, turn), stored)
        if not profile and stays_gray == gray:
            profile = own_profile  # a broken one does no more harm than before
        settings = _SETTINGS[fmt] | ({"dpi": dpi} if fmt == "BMP" and dpi else {})
        if fmt == "WebP" and webp.is_lossless(data):
            settings["lossless"] = True
        encoded = encode(stored, fmt, **settings)
        how = Carry(
            renew_exif=lambda exif: renew_thumbnail(exif, stored),
            profile=None if profile == own_profile else profile,
        )
        return _carry(encoded, data, fmt, how, stored.size)
    except PhotoError:
        raise
    except Exception as error:  # of crafted metadata
        raise PhotoError(
            "unsupported-format", name, f"cannot be written with its metadata: {error}"
        ) from error


def _changed(own: Image.Image, before: Image.Image, after: Image.Image) -> Image.Image:
    """Apply the change from ``before`` to ``after``, so that colors outside sRGB are not lost."""
    result = np.array(own)
    for top in range(0, len(result), _BAND):
        box = (0, top, own.width, min(top + _BAND, own.height))
        old, new = (np.asarray(image.crop(box), np.int16) for image in (before, after))
        result[top : top + _BAND] = np.clip(result[top : top + _BAND] + (new - old), 0, 255)
    return Image.fromarray(result)


def _carry(encoded: bytes, data: bytes, fmt: str, how: Carry, size: tuple[int, int]) -> bytes:
    if fmt == "JPEG":
        return jpeg.carry(encoded, data, how)
    if fmt == "PNG":
        return png.carry(encoded, data, how)
    if fmt == "WebP":
        return webp.carry(encoded, data, how, size)
    return encoded


def _check_picture(image: ImageFile.ImageFile, data: bytes, fmt: str, name: str) -> None:
    if getattr(image, "n_frames", 1) > 1:
        raise _refusal(name, "it is animated, and only its first picture would be left")
    if fmt == "PNG" and (bits := png.bit_depth(data)) > 8:
        raise _refusal(name, f"its {bits} bits per channel would be cut to 8")
    if image.has_transparency_data:
        with silence():
            image.load()
        with_alpha = image if "A" in image.getbands() else image.convert("RGBA")
        if with_alpha.getchannel("A").getextrema() != (255, 255):
            raise _refusal(name, "its transparency would be lost")
    elif image.mode not in ("RGB", "L", "P"):
        raise _refusal(name, f"its colors ({image.mode}) would be converted to RGB")


def _refusal(name: str, why: str) -> PhotoError:
    return PhotoError(
        "unsupported-format",
        name,
        f"cannot be written safely: {why}. Written are {WRITABLE} files of one picture in 8-bit "
        "RGB or gray; save a copy as one of them and enhance that.",
    )
