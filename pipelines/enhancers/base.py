"""The enhancer interface, and applying an enhancer to stored pixels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np

from pipelines.data.pixels import FloatPhoto, Pixels, to_float, to_pixels
from trigger.errors import EnhancerError

OVERSHOOT = 0.5
"""How far beyond black or white an output may go before it must be on another scale."""


class Enhancer(Protocol):
    """Something that tries to make a photo look better.

    Attributes:
        name: one word, used in labels and in names of files.
        version: changes whenever the output can change; labels of two versions never mix.
        tile_multiple: height and width must be multiples of this (1: any size); photos are
            extended by reflection before ``enhance`` sees them.

    Example:
        >>> class Brighter:
        ...     name, version, tile_multiple = "brighter", "1", 1
        ...
        ...     def enhance(self, photo):
        ...         return photo**0.8
    """

    name: str
    version: str
    tile_multiple: int

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """Enhance a photo, (H, W, 3) float32 RGB in [0, 1], to the same shape, type and range.

        Photos too large for the memory that this takes are to be processed in windows:
        ``pipelines.enhancers.tiling``.
        """
        ...


class PhotoEnhancer(ABC):
    """Base class of the project's enhancers, which take photos of any size.

    Example:
        >>> class Brighter(PhotoEnhancer):
        ...     name, version = "brighter", "1"
        ...
        ...     def enhance(self, photo):
        ...         return photo**0.8
        >>> Brighter().tile_multiple
        1
    """

    name: str
    version: str
    tile_multiple: int = 1

    @abstractmethod
    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """Enhance a photo, (H, W, 3) float32 RGB in [0, 1], to the same shape, type and range."""


def enhance_pixels(enhancer: Enhancer, pixels: Pixels) -> Pixels:
    """Enhance stored pixels and round the result to what a file can hold.

    Args:
        enhancer: what to apply.
        pixels: (H, W, 3) uint8.

    Returns:
        (H, W, 3) uint8.

    Raises:
        EnhancerError: the output has another shape, or values that are not finite or leave the
            range 0 to 1 by more than some overshoot.

    Example:
        >>> from skimage.data import coffee
        >>> from pipelines.enhancers import load_enhancer
        >>> enhance_pixels(load_enhancer("restorer"), coffee()).shape
        (400, 600, 3)
    """
    height, width = pixels.shape[:2]
    extra = [(0, -side % getattr(enhancer, "tile_multiple", 1)) for side in (height, width)]
    if extra != [(0, 0), (0, 0)]:
        pixels = np.pad(pixels, [*extra, (0, 0)], mode="symmetric")
    output = np.asarray(enhancer.enhance(to_float(pixels)))
    if output.shape != pixels.shape:
        raise EnhancerError(
            f"enhancer {enhancer.name!r} returned shape {output.shape} for a photo of shape "
            f"{pixels.shape}; it must return the same shape"
        )
    if not np.isfinite(output).all():
        raise EnhancerError(f"enhancer {enhancer.name!r} returned values that are not finite")
    if output.dtype.kind != "f" or output.min() < -OVERSHOOT or output.max() > 1 + OVERSHOOT:
        raise EnhancerError(
            f"enhancer {enhancer.name!r} returned {output.dtype} from {output.min():g} to "
            f"{output.max():g}; it must return floats from 0 to 1, black to white"
        )
    return to_pixels(output[:height, :width])
