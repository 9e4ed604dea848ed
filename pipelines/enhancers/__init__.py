"""Enhancers: what could be done to a photo, behind one small protocol."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from pipelines.enhancers.classical import ClassicalEnhancer
from pipelines.pixels import FloatPhoto, Pixels, to_float, to_pixels
from trigger.errors import EnhancerError, OptionError

__all__ = ["ENHANCERS", "Enhancer", "enhance_pixels", "load_enhancer"]


class Enhancer(Protocol):
    """Something that tries to make a photo look better.

    Attributes:
        name: word that stands in labels and on the command line.
        version: changes whenever the output can change; labels of two versions never mix.
        tile_multiple: height and width must be multiples of this (1: any size).
    """

    name: str
    version: str
    tile_multiple: int

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """(H, W, 3) float32 RGB in [0, 1] to the same shape, type and range."""
        ...


ENHANCERS = {"classical": ClassicalEnhancer}


def load_enhancer(spec: str) -> Enhancer:
    """The enhancer of that name.

    Raises:
        OptionError: the name is unknown.
    """
    if spec not in ENHANCERS:
        known = ", ".join(sorted(ENHANCERS))
        raise OptionError(f"enhancer {spec!r} is unknown; known enhancers: {known}")
    return ENHANCERS[spec]()


def enhance_pixels(enhancer: Enhancer, pixels: Pixels) -> Pixels:
    """Enhance stored pixels and round the result to what a file can hold.

    Args:
        enhancer: what to apply.
        pixels: (H, W, 3) uint8.

    Returns:
        (H, W, 3) uint8.

    Raises:
        EnhancerError: the output has another shape or is not finite.
    """
    output = np.asarray(enhancer.enhance(to_float(pixels)))
    if output.shape != pixels.shape:
        raise EnhancerError(
            f"enhancer {enhancer.name!r} returned shape {output.shape} for a photo of shape "
            f"{pixels.shape}; it must return the same shape"
        )
    if not np.isfinite(output).all():
        raise EnhancerError(f"enhancer {enhancer.name!r} returned values that are not finite")
    return to_pixels(output)
