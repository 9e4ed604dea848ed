"""Convert photos to sRGB by their ICC profile, and back."""

from __future__ import annotations

import functools
import io
from typing import Literal

import numpy as np
from PIL import Image, ImageCms

ProfileUse = Literal["none", "srgb", "converted", "broken"]
"""What became of a photo's ICC profile: there was none; it describes sRGB, so pixels are as
stored; pixels were converted to sRGB; it cannot be used, so pixels are taken for sRGB."""

MAX_PROFILE_BYTES = 8 * 2**20
"""Larger profiles count as broken; those of printers have up to 3 MiB."""
_SAME = 1  # levels of 255 by which sRGB profiles of different makers differ
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION


class _BrokenProfile(Exception):
    """An ICC profile that cannot be used for pixels of this kind."""


def to_srgb(
    image: Image.Image, icc_profile: bytes, *, gray: bool
) -> tuple[Image.Image, ProfileUse]:
    """Convert a photo to sRGB.

    Args:
        image: RGB or CMYK, 8 bits per channel.
        icc_profile: content of the embedded profile; empty if there is none.
        gray: whether an RGB image was made from gray, so that a gray profile applies.

    Returns:
        The RGB image (the one given if nothing changed) and what became of the profile. Without
        a usable profile, CMYK is converted by Pillow's plain formula.

    Example:
        >>> image, use = to_srgb(Image.new("RGB", (2, 2)), b"", gray=False)
        >>> use
        'none'
    """
    use: ProfileUse = "none"
    if icc_profile:
        try:
            transform = _transform_to_srgb(icc_profile, image.mode, gray)
            if transform is None:
                use = "srgb"
            else:
                source = image.convert("L") if transform.input_mode == "L" else image
                return _apply(transform, source), "converted"
        except (_BrokenProfile, ImageCms.PyCMSError, OSError, ValueError):
            use = "broken"
    return (image if image.mode == "RGB" else image.convert("RGB")), use


def from_srgb(image: Image.Image, icc_profile: bytes, *, gray: bool) -> tuple[Image.Image, bytes]:
    """Convert an sRGB image to the color space of a photo, to write it with the photo's profile.

    Args:
        image: RGB.
        icc_profile: the photo's own, as ``Photo.icc_profile``.
        gray: whether the result is to be gray.

    Returns:
        The image (mode L if ``gray``) and the profile to write with it: the photo's own, or that
        of sRGB if the photo's own only describes the way to sRGB or is for CMYK, or none if the
        photo had none that can be used.
    """
    plain = image.convert("L") if gray else image
    if not icc_profile:
        return plain, b""
    try:
        profile, space = _open_profile(icc_profile)
        if space == "CMYK":
            return plain, srgb_profile()
        if (space == "GRAY") != gray:
            # A gray photo that was given colors, or one whose profile is for RGB.
            return plain, icc_profile if space == "RGB" else srgb_profile()
        if _transform_to_srgb(icc_profile, "RGB", gray) is None:
            return plain, icc_profile
        transform = ImageCms.buildTransform(
            _srgb(), profile, "RGB", _MODES[space], renderingIntent=_INTENT, flags=_FLAGS
        )
        return _apply(transform, image), icc_profile
    except _BrokenProfile:
        return plain, b""
    except (ImageCms.PyCMSError, OSError, ValueError):  # no way from sRGB to this profile
        return plain, srgb_profile()


@functools.cache
def srgb_profile() -> bytes:
    """Return an ICC profile of sRGB; always the same bytes."""
    content = bytearray(_srgb().tobytes())
    content[24:36] = bytes([7, 208, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0])  # created now, says littlecms
    return bytes(content)


@functools.cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _open_profile(icc_profile: bytes) -> tuple[ImageCms.ImageCmsProfile, str]:
    """Parse a profile; return it and its color space, "RGB", "GRAY" or "CMYK"."""
    if len(icc_profile) > MAX_PROFILE_BYTES:
        raise _BrokenProfile
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
        space = profile.profile.xcolor_space.strip()
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _BrokenProfile from error
    if space not in _MODES:
        raise _BrokenProfile
    return profile, space


@functools.lru_cache(maxsize=8)
def _transform_to_srgb(
    icc_profile: bytes, mode: str, gray: bool
) -> ImageCms.ImageCmsTransform | None:
    """Return the transform from a profile to sRGB, None if it would change nothing.

    Raises:
        _BrokenProfile, PyCMSError: the profile is damaged, or for another kind of pixels.
    """
    profile, space = _open_profile(icc_profile)
    source = _MODES[space]
    if source != mode and not (source == "L" and gray):
        raise _BrokenProfile
    transform = ImageCms.buildTransform(
        profile, _srgb(), source, "RGB", renderingIntent=_INTENT, flags=_FLAGS
    )
    if source != "CMYK":
        probe = _probe(source)
        changed = np.asarray(_apply(transform, probe)).astype(int)
        if np.abs(changed - np.asarray(probe.convert("RGB"))).max() <= _SAME:
            return None
    return transform


def _apply(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # it is only in place
    return converted


def _probe(mode: str) -> Image.Image:
    """Return every gray, and for RGB also 9 x 9 x 9 colors."""
    ramp = np.arange(256, dtype=np.uint8)
    if mode == "L":
        return Image.fromarray(ramp[np.newaxis])
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    return Image.fromarray(np.concatenate([grid, np.stack([ramp] * 3, axis=-1)])[np.newaxis])
