"""Enhancers from model files: any network that maps a photo to a photo of the same size."""

from __future__ import annotations

import numpy as np

from pipelines.data.pixels import FloatPhoto, to_pixels
from pipelines.enhancers.base import PhotoEnhancer
from pipelines.enhancers.tiling import Tiling, tiled
from pipelines.models.files import ModelFunction, Tensor
from trigger.errors import ModelError

FREE_TILE, FREE_MARGIN, FREE_ALIGN = 512, 64, 8
"""Windows for networks that take any size: few reach further than 64 pixels, and those that
compute on blocks see the same blocks in each window."""
FREE_MULTIPLE = 64
"""Their windows are extended to multiples of this, which suits up to six halvings."""


class NetworkEnhancer(PhotoEnhancer):
    """A model file as an enhancer.

    The model takes one RGB photo (batch, height, width, 3) as float32 in [0, 1] or uint8, of fixed
    or free size, and returns the same. Of several outputs the last in natural order that has the
    size of the input is used: networks that refine in stages return intermediate ones first. A
    SavedModel is a program: see ``pipelines.enhancers.load_enhancer``.
    """

    def __init__(self, function: ModelFunction, name: str | None = None) -> None:
        """Wrap a loaded model.

        Raises:
            ModelError: it takes or returns something else.
        """
        self.name = name or function.name
        self.version = function.version
        self._function = function
        taken = function.input
        if not _is_photo(taken):
            raise ModelError(
                f"{function.source}: takes {taken}; an enhancer takes float32 or uint8 "
                "[1 or any, height, width, 3]"
            )
        fitting = [
            index
            for index, given in enumerate(function.outputs)
            if _is_photo(given) and given.shape[1:3] in (taken.shape[1:3], (None, None))
        ]
        if not fitting:
            raise ModelError(
                f"{function.source}: takes {taken} and gives "
                f"{', '.join(map(str, function.outputs))}; an enhancer returns a photo of the same "
                "size, as float32 or uint8"
            )
        self._fitting = fitting
        height, width = taken.shape[1:3]
        size = (height or FREE_TILE, width or FREE_TILE)
        pad_to = (height or FREE_MULTIPLE, width or FREE_MULTIPLE)
        if height or width:
            least = min(size)
            self.tiling = Tiling(size, margin=least // 32, blend=least // 16, pad_to=pad_to)
        else:
            self.tiling = Tiling(
                size, margin=FREE_MARGIN, blend=FREE_MARGIN // 2, align=FREE_ALIGN, pad_to=pad_to
            )

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """Enhance a photo of any size, (H, W, 3) float32 RGB in [0, 1], in bounded memory.

        Raises:
            ModelError: the network failed, or returned no photo of the window's size.
        """
        return tiled(self._window, photo, self.tiling)

    def _window(self, window: FloatPhoto) -> FloatPhoto:
        taken = window if self._function.input.dtype == np.float32 else to_pixels(window)
        outputs = self._function(taken[np.newaxis])
        for index in reversed(self._fitting):
            output = outputs[index]
            if output.shape == (1, *window.shape):
                scale = 255 if output.dtype == np.uint8 else 1
                return output[0].astype(np.float32) / np.float32(scale)
        raise ModelError(
            f"{self._function.source}: returned {[list(output.shape) for output in outputs]} for "
            f"a window of {list(window.shape)}; an enhancer returns the same size"
        )


def _is_photo(tensor: Tensor) -> bool:
    return (
        len(tensor.shape) == 4
        and tensor.shape[0] in (1, None)
        and tensor.shape[3] in (3, None)
        and tensor.dtype in (np.float32, np.uint8)
    )
