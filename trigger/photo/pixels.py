"""Decode opened photos within limits, format by format."""

from __future__ import annotations

import contextlib
import io

from PIL import ImageFile
from PIL.Image import Image

from trigger.errors import PhotoError
from trigger.photo import bmp, jpeg, limits, png, tiff, tiff_samples
from trigger.photo.formats import silence
from trigger.photo.limits import Limits

_JPEG_CHANNELS = {"L": 1, "RGB": 3, "CMYK": 4}
# What simplejpeg says of kinds of JPEG that it does not read, and Pillow does.
_NOT_READ = ("subsampling", "not implemented", "Unsupported", "arithmetic")


def load_jpeg(
    image: ImageFile.ImageFile,
    data: bytes,
    name: str,
    *,
    at_least: int | None,
    rotated: bool,
    limit: Limits,
) -> Image:
    """Decode a JPEG whose header was opened, reduced if allowed.

    Raises:
        PhotoError: it is damaged, incomplete, or takes more than the limits.
    """
    structure = jpeg.read_structure(data, limit.scans)
    if structure is None:
        raise PhotoError("truncated", name, "this JPEG file ends before its picture begins.")
    if structure.scans > limit.scans:
        raise PhotoError(
            "too-slow",
            name,
            f"this JPEG file draws its picture in more than {limit.scans} passes, which real "
            "photos never need. Save it again, or allow more: trigger.photo.Limits(scans=...).",
        )
    if not structure.complete:
        raise PhotoError(
            "truncated",
            name,
            "this JPEG file is cut short (some of its scans are missing). A photo with missing "
            "parts is not judged; copy or download it again.",
        )
    size = image.size
    factor = _reduction(size, at_least)
    cost = limits.jpeg_cost(
        size,
        (-(-size[0] // factor), -(-size[1] // factor)),
        samples=structure.frame.samples,
        channels=_JPEG_CHANNELS.get(image.mode, 4),
        scans=structure.scans,
        progressive=structure.frame.progressive,
        file_bytes=len(data),
        rotated=rotated,
    )
    limits.check_cost(cost, "JPEG", name, limit)
    if image.mode not in _JPEG_CHANNELS:
        raise PhotoError("unsupported-format", name, f"holds {image.mode} colors.")
    strict = 8 if image.mode == "CMYK" else factor  # Pillow knows which CMYK is inverted
    try:
        decoded = jpeg.decode_strictly(data, image.mode, strict, size)
        if image.mode != "CMYK":
            return decoded
    except ValueError as error:
        if not any(hint in str(error) for hint in _NOT_READ):
            raise jpeg.explain_damage(error, name) from error
    else:
        data += jpeg.END  # all pixels are there, but Pillow insists on an end marker
        image.fp = io.BytesIO(data)
    image.draft(None, (size[0] // factor, size[1] // factor))
    image.decodermaxblock = len(data)  # arithmetic coding cannot stop half-way
    image.load()
    return image


def load(
    image: ImageFile.ImageFile, data: bytes, fmt: str, name: str, *, rotated: bool, limit: Limits
) -> Image:
    """Decode any other photo whose header was opened.

    Returns:
        An image of any mode of Pillow; the one given, or another of the same size.

    Raises:
        PhotoError: it takes more than the limits.
        Exception: whatever the decoder raises; ``explain`` makes it a PhotoError.
    """
    if isinstance(image, tiff.Tiff):
        rotated = image.tag_v2.get(tiff_samples.ORIENTATION, 1) > 1
    run_length = len(data) if isinstance(image, bmp.Bmp) and bmp.is_run_length(image) else 0
    cost = limits.decoding_cost(
        fmt, image.mode, image.size, rotated=rotated, run_length_bytes=run_length
    )
    limits.check_cost(cost, fmt, name, limit)
    if isinstance(image, tiff.Tiff):
        with silence():
            tiff.read_all_tags(image)
        return tiff.load(image, data, name, limit)
    # A PNG that calls itself animated may be a bad one.
    with silence() if fmt == "PNG" and b"acTL" in data else contextlib.nullcontext():
        if isinstance(image, png.Png):
            return png.load(image, data, name, limit)
        image.load()
    return image


def _reduction(size: tuple[int, int], at_least: int | None) -> int:
    """Return by how much a JPEG may come reduced: 1, 2, 4 or 8."""
    if at_least is None:
        return 1
    return next((factor for factor in (8, 4, 2) if min(size) // factor >= at_least), 1)
