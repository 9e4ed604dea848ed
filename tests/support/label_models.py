"""Models small enough to know what they must return."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipelines.enhancers import Registered

Pixels = npt.NDArray[np.uint8]


class Brightness:
    """Scores a photo by its mean: the brighter, the more opinions of ten."""

    name, version, preprocessing = "brightness", "1", "none"

    def score(self, photos: Sequence[Pixels]) -> npt.NDArray[np.float32]:
        means = np.array([photo.mean() / 255 for photo in photos], np.float32)[:, None]
        rest = np.repeat((1 - means) / 9, 9, axis=1)
        return np.concatenate([rest, means], axis=1)


class Brighten:
    """Brightens; misbehaves on photos of some widths. Slow where the environment says so."""

    name, version, tile_multiple = "brighten", "1", 1

    def enhance(self, photo: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        time.sleep(float(os.environ.get("TEST_ENHANCER_SECONDS", "0")))
        match photo.shape[1]:
            case 31:
                raise RuntimeError("out of paint")
            case 32:
                return np.full_like(photo, np.nan)
            case 33:
                return photo[:-1]
            case 34:
                time.sleep(3600)
            case 35:
                raise SystemExit(3)
            case 36:
                raise RuntimeError("out of words " * 20_000)
            case 37:
                return photo * 255
        return np.minimum(photo * np.float32(1.5), 1)


class Darken:
    """Darkens, whatever the photo."""

    name, version, tile_multiple = "darken", "1", 1

    def enhance(self, photo: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return photo * np.float32(0.5)


class Keep:
    """Finds nothing to do."""

    name, version, tile_multiple = "keep", "1", 1

    def enhance(self, photo: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return photo


ENHANCERS = {
    name: Registered(f"label_models:{factory}", "darkness", 0, 0, "Apache-2.0", "none needed")
    for name, factory in (("brighten", "Brighten"), ("darken", "Darken"), ("keep", "Keep"))
}
