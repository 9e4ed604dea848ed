"""Limits of memory and time for decoding one photo.

A file of a few bytes can promise hundreds of megapixels or thousands of passes over them, so the
costs are estimated from the header, before anything is decoded. The estimates are upper bounds of
what was measured for each format with Pillow 12 and libjpeg-turbo 3.1; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from trigger.errors import OptionError, PhotoError

_SAMPLE_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
"""Bytes per pixel of Pillow images; four in all other modes, RGB included."""
_RGB_BYTES = 4
_DECODER_BYTES = {"WebP": 16, "AVIF": 10, "HEIF": 10, "TIFF": 4, "JPEG": 3}
"""Bytes per pixel that the decoder holds besides the image."""
_NANOSECONDS = {"JPEG": 15, "PNG": 40, "GIF": 25, "BMP": 10, "TIFF": 50, "WebP": 60}
"""Per pixel decoded, at most, on one core of 2.5 GHz."""
_SLOWEST = 120  # AVIF and HEIF
_SCAN_NANOSECONDS = 0.4  # per pixel, component and scan of a progressive JPEG without any data
_ENTROPY_NANOSECONDS = 40  # per byte of a JPEG
_RUN_NANOSECONDS = 400  # per byte of a run-length encoded BMP, which Python decodes


@dataclass(frozen=True)
class Limits:
    """What decoding one photo may take; more is refused with a ``PhotoError``.

    The defaults suit a machine with 1 GB to spare per decoding thread. Within them are photos of
    200 megapixels, except where a format or an operation needs more than 5 bytes per pixel: RGB
    JPEG and rotated photos of up to 125 megapixels at full resolution, WebP of up to 50. For
    scoring, large JPEGs are decoded reduced, which takes far less.

    Attributes:
        file_bytes: size of the file.
        pixels: width times height, as the header states them.
        side: width or height; by default the most that JPEG encoders and decoders take.
        memory_bytes: the most memory that decoding and converting hold at a time (estimated).
        seconds: the most CPU time that decoding takes on one core (estimated).
        scans: passes over a progressive JPEG; encoders make about 10.

    Example:
        >>> from trigger.photo import read_photo
        >>> read_photo("map.tif", limits=Limits(memory_bytes=4 * 10**9))  # doctest: +SKIP
    """

    file_bytes: int = 256 * 2**20
    pixels: int = 200_000_000
    side: int = 65_500
    memory_bytes: int = 1_000_000_000
    seconds: float = 20.0
    scans: int = 100

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int | float) or not value > 0:
                raise OptionError(f"{field.name} is {value!r}; a limit must be a number above 0")


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Cost:
    """What decoding will take, at most.

    Attributes:
        memory_bytes: held at a time.
        seconds: of CPU time on one core.
    """

    memory_bytes: float
    seconds: float


def check_pixels(width: int, height: int, name: str, limits: Limits) -> None:
    """Check the size of a photo.

    Raises:
        PhotoError: too-small (a side is 0) or too-many-pixels.
    """
    if width < 1 or height < 1:
        raise PhotoError("too-small", name, f"has {width}x{height} pixels; it needs at least 1x1.")
    if width * height > limits.pixels or max(width, height) > limits.side:
        raise PhotoError(
            "too-many-pixels",
            name,
            f"has {width}x{height} pixels; at most {limits.pixels / 10**6:g} megapixels and "
            f"{limits.side} per side are allowed. Save a smaller copy, or allow more: "
            "trigger.photo.Limits.",
        )


def check_cost(cost: Cost, fmt: str, name: str, limits: Limits) -> None:
    """Check what decoding will take.

    Raises:
        PhotoError: too-many-pixels (memory) or too-slow (time).
    """
    if cost.memory_bytes > limits.memory_bytes:
        raise PhotoError(
            "too-many-pixels",
            name,
            f"decoding this {fmt} photo would take up to {cost.memory_bytes / 10**6:.0f} MB of "
            f"memory; {limits.memory_bytes / 10**6:.0f} MB are allowed. Save a smaller copy, or "
            "allow more: trigger.photo.Limits(memory_bytes=...).",
        )
    if cost.seconds > limits.seconds:
        raise PhotoError(
            "too-slow",
            name,
            f"decoding this {fmt} photo would take up to {cost.seconds:.0f} seconds; "
            f"{limits.seconds:g} are allowed. Save it in another format, or allow more: "
            "trigger.photo.Limits(seconds=...).",
        )


def decoding_cost(
    fmt: str,
    mode: str,
    size: tuple[int, int],
    *,
    rotated: bool = False,
    run_length_bytes: int = 0,
) -> Cost:
    """Estimate the cost of decoding anything but JPEG.

    Args:
        fmt: format, as in ``Photo.format``.
        mode: of the image that Pillow makes of it.
        size: width and height.
        rotated: whether it has to be turned upright.
        run_length_bytes: size of a file that is decoded byte by byte, 0 for others.

    Example:
        >>> decoding_cost("PNG", "RGB", (4000, 3000)).memory_bytes / 10**6
        48.0
    """
    pixels = size[0] * size[1]
    per_pixel = _SAMPLE_BYTES.get(mode, _RGB_BYTES)
    decoding = per_pixel + _DECODER_BYTES.get(fmt, 0)
    converting = per_pixel + (_RGB_BYTES if mode != "RGB" or rotated else 0)
    if mode in ("I", "F"):
        converting += 2 * per_pixel
    seconds = pixels * _NANOSECONDS.get(fmt, _SLOWEST) + run_length_bytes * _RUN_NANOSECONDS
    return Cost(pixels * max(decoding, converting), seconds / 1e9)


def jpeg_cost(
    size: tuple[int, int],
    reduced: tuple[int, int],
    *,
    samples: float,
    channels: int,
    scans: int,
    progressive: bool,
    file_bytes: int,
    rotated: bool,
) -> Cost:
    """Estimate the cost of decoding a JPEG.

    Args:
        size: width and height of the file.
        reduced: width and height of what is made of it.
        samples: per pixel, of all components together: 1.5 with 4:2:0 subsampling.
        channels: of the image: 1, 3 or 4.
        scans: passes over the components.
        progressive: whether all coefficients are kept in memory.
        file_bytes: size of the file.
        rotated: whether it has to be turned upright.
    """
    pixels, kept = size[0] * size[1], reduced[0] * reduced[1]
    coefficients = 2 * pixels * samples if progressive or scans > 1 else 0
    image_bytes = 1 if channels == 1 else _RGB_BYTES
    decoding = coefficients + kept * (channels + image_bytes)
    converting = kept * (image_bytes + (_RGB_BYTES if channels != 3 or rotated else 0))
    passes = pixels * samples * scans * _SCAN_NANOSECONDS if scans > 1 else 0
    seconds = kept * _NANOSECONDS["JPEG"] + passes + file_bytes * _ENTROPY_NANOSECONDS
    return Cost(max(decoding, converting), seconds / 1e9)
