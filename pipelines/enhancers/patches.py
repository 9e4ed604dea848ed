"""Pairs of patches to learn repairing from, cut and degraded on the fly."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pipelines.degradation import Factors, degrade
from pipelines.enhancers.shrinkage import BLOCK
from pipelines.fitting import Batches
from pipelines.pixels import FloatPhoto, Pixels, to_float

CROP = 320
PER_CROP = 4


class PatchBatches(Batches):
    """Batches of degraded patches and of what they were, from flawless photos.

    Large crops are degraded and several patches are cut from each: blur and blocks of what lies
    around a patch reach into it, and degrading costs little of the time that training takes.
    """

    def __init__(
        self,
        photos: Sequence[Pixels],
        draw: Callable[[np.random.Generator], Factors],
        *,
        faults: str,
        side: int,
        target_side: int,
        aligned: float,
        batch_size: int,
        steps: int,
        seed: int,
    ) -> None:
        """Describe the batches.

        Args:
            photos: flawless, each (H, W, 3) uint8 with sides of ``side`` or more.
            draw: how a crop is degraded.
            faults: the same in words, so that a training is not resumed with others.
            side: of the patches, in pixels.
            target_side: of the middle of a patch that is to be predicted.
            aligned: share of the patches that begin on the 8x8 grid of JPEG.
            batch_size: patches per batch.
            steps: batches per epoch.
            seed: of everything random.
        """
        super().__init__()
        self._photos, self._draw, self._faults = photos, draw, faults
        self._side, self._margin, self._aligned = side, (side - target_side) // 2, aligned
        self._batch_size, self._steps, self._seed = batch_size, steps, seed
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:  # noqa: D102
        self._epoch = epoch

    def fingerprint(self) -> dict[str, object]:  # noqa: D102
        return {
            "batch size": self._batch_size,
            "seed": self._seed,
            "steps": self._steps,
            "faults": self._faults,
            "patches": [CROP, PER_CROP, self._side, self._margin, self._aligned],
            "photos": [len(self._photos), int(sum(photo.size for photo in self._photos))],
        }

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> tuple[FloatPhoto, FloatPhoto]:
        """Patches (n, side, side, 3) in [0, 1] and targets (n, target_side, target_side, 6).

        The first three channels of a target are the flawless pixels, the others the degraded ones,
        so that a metric can tell what was gained.
        """
        rng = np.random.default_rng([self._seed, self._epoch, step])
        patches: list[Pixels] = []
        while len(patches) < self._batch_size:
            photo = self._photos[int(rng.integers(len(self._photos)))]
            crop = _turned(photo[_square(photo, CROP, 1, rng)], rng)
            degraded = degrade(to_float(crop), self._draw(rng), rng)
            for _ in range(min(PER_CROP, self._batch_size - len(patches))):
                align = BLOCK if rng.random() < self._aligned else 1
                square = _square(crop, self._side, align, rng)
                patches.append(np.concatenate([crop[square], degraded[square]], axis=2))
        batch = to_float(np.stack(patches))
        inner = slice(self._margin, self._side - self._margin)
        return batch[..., 3:], batch[:, inner, inner]


def _square(photo: Pixels, side: int, align: int, rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a random square, or of as much of it as the photo has."""
    top, left = (
        align * int(rng.integers(max(length - side, 0) // align + 1)) for length in photo.shape[:2]
    )
    return slice(top, top + side), slice(left, left + side)


def _turned(photo: Pixels, rng: np.random.Generator) -> Pixels:
    """One of the eight ways to lay a square."""
    turned = np.rot90(photo, int(rng.integers(4)))
    return turned[:, ::-1] if rng.random() < 0.5 else turned
