"""Scorers from model files: a SavedModel directory, a TF-Hub handle or a TFLite file.

The model takes one photo, float32 or uint8 RGB (1, S, S, 3), and returns either the shares of
opinions 1..10 (10 values that sum to 1) or their mean (1 value on 1..10). The photo is resized to
the S x S pixels that the model takes, as for every network of this project. What a model file does
not say can be appended to its path::

    PATH#size=384               S of a model that takes any size
    PATH#range=0..1             black and white of a model that takes float32; default -1..1
    PATH#size=384,range=0..255

uint8 models get pixels as they are. The default is what MobileNets take, so also the published
NIMA: https://github.com/idealo/image-quality-assessment (224x224, -1..1, ten shares).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipelines.models.files import ModelFunction, load_model_file
from trigger.errors import ModelError, OptionError
from trigger.preprocessing import Preprocessing

Range = tuple[float, float]
MOBILENET_RANGE: Range = (-1.0, 1.0)
_NUMBER = r"[+-]?\d+(?:\.\d+)?"
_OPTIONS = re.compile(rf"size=(?P<size>\d+)|range=(?P<low>{_NUMBER})\.\.(?P<high>{_NUMBER})")


class ModelFileScorer:
    """A scorer from a model file.

    Its name is that of the file or handle, its version the beginning of the SHA-256 of the content.
    """

    def __init__(self, spec: str) -> None:
        """Load the model; ``spec`` is its path or handle and options, see this module.

        Raises:
            OptionError: an option is unknown or does not fit the model.
            ModelError: it cannot be loaded, does not take photos, or returns something else.
        """
        path, _, options = spec.partition("#")
        size, values = _parse(spec, options)
        self._model = load_model_file(path)
        self._fit = Preprocessing(_side(self._model, size))
        self.name = self._model.name
        self.version = self._model.version
        self.preprocessing = self._fit.version
        if self._model.input.dtype == np.uint8:
            if values:
                raise OptionError(f"{spec}: takes uint8, so leave out range: pixels are 0..255")
            self._range = None
        else:
            self._range = values or MOBILENET_RANGE
            # Part of what labels depend on, as the size is.
            self.preprocessing += "_{:g}..{:g}".format(*self._range)
        _check_output(self._model)

    def score(self, photos: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """Score N photos, (H, W, 3) uint8: (N, 10) or (N, 1) float32, as ``Scorer.score``."""
        rows = [np.ravel(self._model(self._prepare(photo)[None])[0]) for photo in photos]
        return np.stack(rows).astype(np.float32)

    def _prepare(self, photo: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32 | np.uint8]:
        pixels = self._fit.apply(photo)
        if self._range is None:
            return pixels
        low, high = self._range
        return (pixels * np.float32((high - low) / 255) + np.float32(low)).astype(np.float32)


def _parse(spec: str, options: str) -> tuple[int | None, Range | None]:
    size, values = None, None
    for option in filter(None, options.split(",")):
        found = _OPTIONS.fullmatch(option)
        if found is None:
            raise OptionError(
                f"{spec}: {option!r} is no option of a model file; allowed are size=PIXELS and "
                "range=LOW..HIGH, as in nima.tflite#size=224,range=-1..1"
            )
        if found["size"]:
            size = int(found["size"])
        else:
            values = (float(found["low"]), float(found["high"]))
            if not values[0] < values[1]:
                raise OptionError(
                    f"{spec}: black must get a lower number than white, as in range=-1..1"
                )
    return size, values


def _side(model: ModelFunction, size: int | None) -> int:
    """Return the side of the square that the model takes."""
    taken = model.input
    if len(taken.shape) != 4 or taken.shape[0] not in (None, 1) or taken.shape[3] != 3:
        raise ModelError(f"{model.source}: takes {taken}; a scorer takes one photo: [1, S, S, 3]")
    if taken.dtype not in (np.uint8, np.float32):
        raise ModelError(f"{model.source}: takes {taken}; a scorer takes uint8 or float32")
    height, width = (size if side is None else side for side in taken.shape[1:3])
    if height is None or width is None:
        raise OptionError(
            f"{model.source}: takes photos of any size; name one with {model.source}#size=PIXELS"
        )
    if height != width or (size or height) != height:
        asked = f", not {size}x{size} as asked for" if size else ""
        raise ModelError(f"{model.source}: takes {taken}{asked}; photos are made square for it")
    return height


def _check_output(model: ModelFunction) -> None:
    shapes = [tensor.shape[1:] for tensor in model.outputs]
    if shapes not in ([(10,)], [(1,)], [()]):
        raise ModelError(
            f"{model.source}: gives {', '.join(map(str, model.outputs))}; a scorer gives one "
            "output: [1, 10], shares of the opinions 1..10, or [1, 1], their mean"
        )
