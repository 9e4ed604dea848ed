"""Recipes: network, loss, patches and faults that each enhancer network is trained with."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import keras
import numpy as np

from pipelines.degradation.model import KINDS, Factors, random_factors
from pipelines.enhancers.learned.restorer import first_repair, first_repair_version
from pipelines.training.enhancers import networks
from pipelines.training.enhancers.losses import log_error, smooth_error, squared_error
from pipelines.training.enhancers.patches import Draw, Repair
from pipelines.training.options import EnhancerNetwork
from trigger.errors import ModelError, OptionError

Loss = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]

QUALITIES = (5, 90)
"""JPEG qualities that the blind deblocker learns, log-uniformly distributed."""
RECOMPRESSED_SHARE = 1 / 3
"""Share of the photos with another fault that are compressed besides, as cameras do."""
RECOMPRESSED_QUALITIES = (75, 95)


@dataclass(frozen=True)
class Recipe:
    """How an enhancer network is trained.

    Attributes:
        build: the network with fresh weights.
        loss: per patch.
        side: of the patches that it sees, in pixels.
        target_side: of the middle of a patch that it predicts.
        aligned: share of patches on the 8x8 grid of JPEG.
        draw: random factors of the degradation; None: JPEG of the one quality that is asked for.
        faults: the same in words.
        one_quality: whether training on a single JPEG quality is supported.
        repair: enhancement that comes before the network; None: it sees the degraded photo.
    """

    build: Callable[[], keras.Model]
    loss: Loss
    side: int = 96
    target_side: int = 96
    aligned: float = 0.5
    draw: Draw | None = None
    faults: str = ""
    one_quality: bool = True
    repair: Repair | None = None

    @property
    def repaired_by(self) -> str | None:
        """Version of the enhancement that comes before the network."""
        return first_repair_version() if self.repair else None


def faults_of(name: EnhancerNetwork, quality: int | None) -> tuple[Draw, str]:
    """Degradations that a network is trained on, as a function and in words.

    Args:
        name: of the network.
        quality: the only JPEG quality; None: those of the recipe.

    Raises:
        OptionError: the network needs a quality, or takes none.
    """
    recipe = RECIPES[name]
    if quality is not None:
        if not recipe.one_quality:
            raise OptionError(f"{name} learns all faults; leave out --quality")
        return partial(jpeg_of, quality), f"JPEG quality {quality}"
    if recipe.draw is None:
        raise OptionError(f"{name} learns a single JPEG quality; give it with --quality")
    return recipe.draw, recipe.faults


def load_trained(name: EnhancerNetwork, weights: Path) -> keras.Model:
    """Load a trained network.

    Args:
        name: of the network.
        weights: ``.weights.h5`` file of :func:`pipelines.training.train_enhancer`.

    Raises:
        ModelError: the file is missing or holds the weights of another network.
    """
    network = RECIPES[name].build()
    try:
        with warnings.catch_warnings():
            # Keras only warns about missing layers and keeps their fresh weights.
            warnings.simplefilter("error", UserWarning)
            network.load_weights(weights)
    except (OSError, ValueError, UserWarning) as error:
        raise ModelError(
            f"{weights}: does not hold weights of {name} ({error}); give a .weights.h5 file that "
            "this version of trigger train-enhancer wrote"
        ) from error
    return network


def jpeg_of(quality: int, rng: np.random.Generator) -> Factors:
    """JPEG of one quality."""
    return Factors(jpeg_quality=quality)


def any_jpeg(rng: np.random.Generator) -> Factors:
    """JPEG of a random quality."""
    return Factors(jpeg_quality=int(np.rint(np.exp(rng.uniform(*np.log(QUALITIES))))))


def any_fault(rng: np.random.Generator) -> Factors:
    """A random degradation, sometimes compressed as cameras do."""
    factors = random_factors(KINDS[rng.integers(len(KINDS))], rng)
    if factors.jpeg_quality is None and rng.random() < RECOMPRESSED_SHARE:
        quality = int(rng.integers(*RECOMPRESSED_QUALITIES, endpoint=True))
        return replace(factors, jpeg_quality=quality)
    return factors


RECIPES: dict[EnhancerNetwork, Recipe] = {
    "arcnn": Recipe(networks.build_arcnn, squared_error),
    "fast-arcnn": Recipe(networks.build_fast_arcnn, squared_error),
    "blockcnn": Recipe(networks.build_blockcnn, smooth_error, 24, 8, aligned=1),
    "deblocker": Recipe(
        networks.build_deblocker,
        log_error,
        aligned=1,
        draw=any_jpeg,
        faults="JPEG quality {} to {}".format(*QUALITIES),
    ),
    "restorer": Recipe(
        networks.build_restorer,
        log_error,
        draw=any_fault,
        faults=f"{', '.join(KINDS)}, saved or not",
        one_quality=False,
        repair=first_repair,
    ),
}
