"""PNGs of 16 bits per sample, and their transparent colors."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, PngImagePlugin

from trigger.photo.limits import Cost, Limits, check_cost
from trigger.photo.rgb import BACKGROUND, bands, in_bands, integer_white, scale_to_8_bits

_BIT_DEPTH = 24  # position of the byte in the file
_NARROW = 63  # of 255: 16-bit colors this dark may be of 14 bits or fewer
_UPPER_BYTES, _LOWER_BYTES = "RGB;16B", "RGB;16L"
_FULL = 65535
_BOTH_BYTES = 12  # per pixel: images of the upper bytes, of the lower ones, and of both


class Png(PngImagePlugin.PngImageFile):
    """A PNG that may be told which bytes of 16-bit colors to keep."""

    def keep_lower_bytes(self) -> None:
        """Decode the lower bytes of 16-bit colors, not the upper ones."""
        self.tile = [
            tile._replace(args=_LOWER_BYTES if tile.args == _UPPER_BYTES else tile.args)
            for tile in self.tile
        ]


def load(image: Png, data: bytes, name: str, limits: Limits) -> Image.Image:
    """Decode the pixels; 16-bit colors become RGB, transparency flattened, where Pillow's 8 bits
    would not do: dark ones may be of fewer bits, and a transparent color is compared in 16 bits.
    """
    depth = data[_BIT_DEPTH]
    image.load()
    transparent = image.info.get("transparency")
    if image.mode in ("1", "L") and isinstance(transparent, int):
        image.info["transparency"] = transparent * 255 // (2**depth - 1)  # as the pixels are
    if depth != 16 or image.mode != "RGB":
        return image
    narrow = all(high <= _NARROW for _, high in image.getextrema())  # type: ignore[misc]
    if not narrow and transparent is None:
        return image
    memory = image.width * image.height * _BOTH_BYTES
    check_cost(Cost(memory, 0), "PNG", name, limits)
    lower = Png(io.BytesIO(data))
    lower.keep_lower_bytes()
    lower.load()
    return _from_both_bytes(image, lower, transparent)


def _from_both_bytes(
    upper: Image.Image, lower: Image.Image, transparent: tuple[int, int, int] | None
) -> Image.Image:
    def values(box: tuple[int, int, int, int]) -> np.ndarray:
        high, low = (np.asarray(image.crop(box)).astype(np.uint16) for image in (upper, lower))
        return high << 8 | low

    width = upper.width
    highest = max(int(values((0, top, width, end)).max()) for top, end in bands(upper.size))
    white = integer_white(highest, _FULL)

    def band_of(box: tuple[int, int, int, int]) -> Image.Image:
        band = values(box)
        pixels = scale_to_8_bits(band, white)
        if transparent is not None:
            pixels[(band == np.array(transparent)).all(axis=-1)] = BACKGROUND
        return Image.fromarray(pixels)

    return in_bands(upper.size, band_of)
