"""Training patches of enhancers: degraded and flawless, cut from crops of photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import cv2
import numpy as np

from pipelines.data.pixels import FloatPhoto, Pixels, to_float, to_pixels
from pipelines.data.processes import worker_processes
from pipelines.degradation.model import Factors, degrade, sensor
from pipelines.enhancers.classical.shrinkage import BLOCK
from pipelines.training.batches import Batches
from trigger.console.progress import progress

CROP = 320
"""Side of a crop in pixels."""
PER_CROP = 4
"""Patches per crop."""

Draw = Callable[[np.random.Generator], Factors]
Repair = Callable[[FloatPhoto], FloatPhoto]


class Crops(Protocol):
    """A source of crops that patches are cut from."""

    def __call__(self, rng: np.random.Generator) -> Pixels:
        """One crop (h, w, 6 or more) uint8: three channels to predict, then the input."""
        ...

    def fingerprint(self) -> list[int]:
        """Numbers that differ between sets of crops, whatever their degradation."""
        ...


class DegradedCrops:
    """Crops degraded on the fly, so that no two are the same."""

    def __init__(self, photos: Sequence[Pixels], draw: Draw) -> None:
        """Describe the crops.

        Args:
            photos: flawless, each (H, W, 3) uint8.
            draw: random factors of the degradation of a crop.
        """
        self._photos, self._draw = photos, draw

    def __call__(self, rng: np.random.Generator) -> Pixels:
        """(h, w, 6) uint8: target and degraded."""
        return degraded_pair(_random_crop(self._photos, rng), self._draw(rng), rng)

    def fingerprint(self) -> list[int]:  # noqa: D102
        return [CROP, len(self._photos), sum(photo.size for photo in self._photos)]


class RepairedCrops:
    """A fixed set of crops, degraded and enhanced in advance, for networks that come after.

    Crops in which the enhancement found nothing are left out: the network never sees such photos.
    """

    def __init__(
        self,
        photos: Sequence[Pixels],
        draw: Draw,
        repair: Repair,
        count: int,
        seed: int,
        *,
        show_progress: bool = False,
    ) -> None:
        """Degrade and enhance, on all processors.

        Args:
            photos: flawless, each (H, W, 3) uint8.
            draw: random factors of the degradation of a crop.
            repair: a module-level function, which returns the same object if it changes nothing.
            count: number of crops to make.
            seed: of everything random.
            show_progress: draw a progress bar on stderr if that is a terminal.
        """
        jobs = []
        for number in range(count):
            rng = np.random.default_rng([seed, number])
            jobs.append((_random_crop(photos, rng), draw(rng), rng))
        with worker_processes() as pool:
            results = pool.map(partial(_repaired, repair), jobs, chunksize=8)
            made = list(
                progress(results, "repairing", total=count, unit="crops", shown=show_progress)
            )
        self._crops = [crop for crop in made if crop is not None]

    def __call__(self, rng: np.random.Generator) -> Pixels:
        """(h, w, 9) uint8: target, repaired, degraded."""
        return _turned(self._crops[int(rng.integers(len(self._crops)))], rng)

    def fingerprint(self) -> list[int]:  # noqa: D102
        return [CROP, len(self._crops), sum(int(crop.sum()) for crop in self._crops)]


def degraded_pair(crop: Pixels, factors: Factors, rng: np.random.Generator) -> Pixels:
    """Stack a target (3 channels) and the degraded crop: (h, w, 6) uint8.

    Overexposure stays in the target: nothing around a patch shows how bright the scene was.
    """
    values = to_float(crop)
    exposed = Factors(exposure=factors.exposure, spill=factors.spill)
    target = crop if exposed == Factors() else sensor(values, exposed, rng)
    return np.concatenate([target, degrade(values, factors, rng)], axis=2)


def _repaired(repair: Repair, job: tuple[Pixels, Factors, np.random.Generator]) -> Pixels | None:
    cv2.setNumThreads(1)
    pair = degraded_pair(*job)
    degraded = to_float(pair[..., 3:])
    repaired = repair(degraded)
    if repaired is degraded:
        return None
    return np.concatenate([pair[..., :3], to_pixels(repaired), pair[..., 3:]], axis=2)


class PatchBatches(Batches):
    """Batches of input patches and targets.

    Several patches are cut from each crop, since blur and JPEG blocks reach into a patch from its
    surroundings, and degrading whole crops costs little.
    """

    def __init__(
        self,
        crops: Crops,
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
            crops: that patches are cut from, with sides of at least ``side``.
            faults: their degradation in words, so that a training is not resumed with another.
            side: of the patches, in pixels.
            target_side: of the middle of a patch that is to be predicted.
            aligned: share of patches whose corner is on the 8x8 grid of JPEG.
            batch_size: patches per batch.
            steps: batches per epoch.
            seed: of everything random.
        """
        super().__init__()
        self._crops, self._faults = crops, faults
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
            "patches": [PER_CROP, self._side, self._margin, self._aligned],
            "photos": self._crops.fingerprint(),
        }

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> tuple[FloatPhoto, FloatPhoto]:
        """Patches (n, side, side, 3 or more) and targets (n, target_side, target_side, 6).

        All are float32 in [0, 1]. The first three channels of a target are to be predicted; the
        others are the first three of the input, so that a metric can measure the gain.
        """
        rng = np.random.default_rng([self._seed, self._epoch, step])
        patches: list[Pixels] = []
        while len(patches) < self._batch_size:
            crop = self._crops(rng)
            for _ in range(min(PER_CROP, self._batch_size - len(patches))):
                align = BLOCK if rng.random() < self._aligned else 1
                patches.append(crop[_square(crop, self._side, align, rng)])
        batch = to_float(np.stack(patches))
        inner = slice(self._margin, self._side - self._margin)
        return batch[..., 3:], batch[:, inner, inner, :6]


def _random_crop(photos: Sequence[Pixels], rng: np.random.Generator) -> Pixels:
    photo = photos[int(rng.integers(len(photos)))]
    return _turned(photo[_square(photo, CROP, 1, rng)], rng)


def _square(photo: Pixels, side: int, align: int, rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a random square, or of as much of it as the photo has."""
    top, left = (
        align * int(rng.integers(max(length - side, 0) // align + 1)) for length in photo.shape[:2]
    )
    return slice(top, top + side), slice(left, left + side)


def _turned(photo: Pixels, rng: np.random.Generator) -> Pixels:
    """One of the eight rotations and reflections of a square."""
    turned = np.rot90(photo, int(rng.integers(4)))
    return turned[:, ::-1] if rng.random() < 0.5 else turned
