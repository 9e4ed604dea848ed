"""Training batches: shuffled, mirrored and cropped photos."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import keras
import numpy as np
import numpy.typing as npt

CROP_SIDE = 320
"""Side in pixels of the random crops that scorer and trigger train on; they are used on 448."""


class Batches(keras.utils.PyDataset):
    """Batches of a training, epoch by epoch."""

    def start_epoch(self, epoch: int) -> None:
        """Prepare the batches of an epoch, from seed and epoch alone, so that resuming works."""
        raise NotImplementedError

    def fingerprint(self) -> dict[str, object]:
        """Everything but the pixels that a training on these batches depends on, by name."""
        raise NotImplementedError


class PhotoBatches(Batches):
    """Shuffled batches of preprocessed photos, half of them mirrored, optionally cropped.

    Mirroring and cropping hardly change quality; rotations and scalings resample, and changes of
    color degrade.

    Example:
        >>> photos = np.zeros((8, 448, 448, 3), np.uint8)
        >>> targets = np.zeros((8, 1), np.float32)
        >>> batches = PhotoBatches(photos, np.arange(8), targets, batch_size=4, seed=0, side=320)
        >>> len(batches), batches[0][0].shape
        (2, (4, 320, 320, 3))
    """

    def __init__(
        self,
        photos: npt.NDArray[np.uint8],
        rows: npt.NDArray[np.intp],
        targets: npt.NDArray[np.float32],
        batch_size: int,
        seed: int,
        groups: npt.NDArray[np.intp] | None = None,
        always_shown: npt.NDArray[np.bool_] | None = None,
        sampled_share: float = 1.0,
        side: int | None = None,
    ) -> None:
        """Describe the batches.

        Args:
            photos: (M, S, S, 3) uint8.
            rows: (n,) indices into ``photos``.
            targets: (n, ...) what to predict for each of the rows.
            batch_size: photos per batch.
            seed: of order, mirroring and crops.
            groups: (n,) group number of each row, 0 and up. Rows of a group are neighbors, in
                random order, so that a loss can compare them; default: each row is a group.
            always_shown: (n,) rows shown in every epoch, the same for all of a group; default: all.
            sampled_share: share of the other rows that an epoch shows, sampled by groups, of which
                the last may be cut; each epoch has a sample of its own.
            side: of a square crop of each photo, at the same random place for all of a group, so
                that like is compared with like; default: no crop.
        """
        super().__init__()
        self._photos, self._rows, self._targets = photos, rows, targets
        self._groups = np.arange(len(rows)) if groups is None else groups
        self._always = np.ones(len(rows), bool) if always_shown is None else always_shown
        self._share = sampled_share
        self._shown = self._always.sum() + round(sampled_share * (~self._always).sum())
        self._batch_size, self._seed = batch_size, seed
        self._side = side or photos.shape[1]
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Shuffle, mirror and crop for this epoch."""
        rng = np.random.default_rng([self._seed, epoch])
        groups = self._groups.max() + 1
        # Shuffle the groups.
        place = rng.permutation(groups)[self._groups]
        # Sample: all rows that are always shown, then whole groups in another random order. By
        # their place in the epoch, the sampled rows would all come first.
        rank = np.random.default_rng([self._seed, epoch, 1]).permutation(groups)
        sampled = np.lexsort((rank[self._groups], ~self._always))[: self._shown]
        # Order the sample by group, and randomly within each group.
        self._order = sampled[np.lexsort((rng.random(len(sampled)), place[sampled]))]
        # Mirror each row or not; crop all rows of a group at the same place.
        self._mirrored = rng.random(len(self._rows)) < 0.5
        room = self._photos.shape[1] - self._side
        self._corners = rng.integers(room + 1, size=(groups, 2))[self._groups]

    def fingerprint(self) -> dict[str, object]:  # noqa: D102
        return {
            "batch size": self._batch_size,
            "seed": self._seed,
            "examples": digest([self._rows, self._targets, self._groups, self._always]),
            "share": self._share,
            "side": self._side,
        }

    def __len__(self) -> int:
        return int(-(-self._shown // self._batch_size))

    def __getitem__(self, batch: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """Photos (b, side, side, 3) uint8 and their targets (b, ...)."""
        chosen = self._order[batch * self._batch_size : (batch + 1) * self._batch_size]
        photos = np.stack(
            [
                self._photos[row, top : top + self._side, left : left + self._side]
                for row, (top, left) in zip(self._rows[chosen], self._corners[chosen], strict=True)
            ]
        )
        mirrored = self._mirrored[chosen]
        photos[mirrored] = photos[mirrored][:, :, ::-1]
        return photos, self._targets[chosen]


def digest(arrays: Iterable[npt.NDArray[np.generic]]) -> str:
    """SHA-256 of the types, shapes and values of arrays."""
    sha256 = hashlib.sha256()
    for array in arrays:
        sha256.update(f"{array.dtype}{array.shape}".encode())
        sha256.update(np.ascontiguousarray(array).tobytes())
    return sha256.hexdigest()
