"""Training examples of the scorer, as files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.data.disk_array import write_npz
from pipelines.data.pixels import Pixels


@dataclass(frozen=True)
class Examples:
    """All examples of one scene.

    Attributes:
        scene: content hash of the original photo.
        photos: (n, 448, 448, 3) uint8.
        kinds: (n,) what each is: ``live``, ``tid-TYPE-LEVEL`` or ``VIEW/original``, and
            ``VIEW/KIND-STRENGTH/degraded`` or the like for what was made from it; the strength of
            kind ``tid`` is TYPE times 10 plus LEVEL.
        scores: (n,) float32 mean opinion 1..10; NaN where no person rated the photo.
        deviations: (n,) float32 standard deviation of opinions.
        distortion: (n, 18) float32 distortion features against the original.
    """

    scene: str
    photos: Pixels
    kinds: npt.NDArray[np.str_]
    scores: npt.NDArray[np.float32]
    deviations: npt.NDArray[np.float32]
    distortion: npt.NDArray[np.float32]

    def save(self, path: Path) -> None:
        """Write whole or not at all."""
        write_npz(
            path,
            scene=np.array(self.scene),
            photos=self.photos,
            kinds=self.kinds,
            scores=self.scores,
            deviations=self.deviations,
            distortion=self.distortion,
        )

    @staticmethod
    def load(path: Path) -> Examples:
        """Read what :meth:`save` wrote."""
        with np.load(path) as arrays:
            return Examples(str(arrays["scene"]), *(arrays[name] for name in _ARRAYS))


_ARRAYS = ("photos", "kinds", "scores", "deviations", "distortion")


def count_examples(path: Path) -> int:
    """Count the examples in a file without reading its photos.

    Raises:
        KeyError: the file was written by another version.
    """
    with np.load(path) as arrays:
        if missing := set(_ARRAYS).difference(arrays.files):
            raise KeyError(*missing)
        return len(arrays["kinds"])
