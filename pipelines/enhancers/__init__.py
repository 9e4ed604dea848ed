"""Enhancers: found by name or file, applied to pixels or photo files."""

from pipelines.enhancers.base import Enhancer, PhotoEnhancer, enhance_pixels
from pipelines.enhancers.photo import Enhanced, NotEnhanced, enhance_photo, enhance_photos
from pipelines.enhancers.registry import (
    DEFAULT_ENHANCER,
    ENHANCER_SPECS,
    ENHANCERS,
    Registered,
    describe_enhancers,
    load_enhancer,
)

__all__ = [
    "DEFAULT_ENHANCER",
    "ENHANCERS",
    "ENHANCER_SPECS",
    "Enhanced",
    "Enhancer",
    "NotEnhanced",
    "PhotoEnhancer",
    "Registered",
    "describe_enhancers",
    "enhance_photo",
    "enhance_photos",
    "enhance_pixels",
    "load_enhancer",
]
