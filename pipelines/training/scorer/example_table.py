"""All examples of the scorer in one table, with the scores that no person gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.data.disk_array import new_disk_array
from pipelines.data.splits import is_held_out
from pipelines.opinions import FLAWLESS
from pipelines.training.scorer.examples import Examples, count_examples
from pipelines.training.scorer.judge import FullReferenceJudge
from trigger.errors import DataError
from trigger.preprocessing import STANDARD


@dataclass(frozen=True)
class ExampleTable:
    """Examples of all scenes.

    Attributes:
        photos: (n, 448, 448, 3) uint8, mapped from a file.
        scenes: (n,) content hash of the original.
        kinds: (n,) what each is, see :class:`Examples`.
        scores: (n,) float32 mean opinions 1..10, by people or by the judge.
        deviations: (n,) float32 standard deviations of opinions.
        held_out: (n,) bool.
    """

    photos: npt.NDArray[np.uint8]
    scenes: npt.NDArray[np.str_]
    kinds: npt.NDArray[np.str_]
    scores: npt.NDArray[np.float32]
    deviations: npt.NDArray[np.float32]
    held_out: npt.NDArray[np.bool_]

    @property
    def rated_by_people(self) -> npt.NDArray[np.bool_]:
        """(n,) bool: people rated the photo, not the judge."""
        return np.char.find(self.kinds, "/") < 0


def gather(files: Sequence[Path], cache: Path, fold: int = 0) -> ExampleTable:
    """Read example files and let the judge score what people did not.

    The judge is fitted on TID2013 scenes that are not held out.

    Args:
        files: of :func:`~pipelines.training.scorer.build_examples.build_examples`.
        cache: ``.npy`` file to write; photos are mapped from it, so that they need not fit in
            memory.
        fold: fifth of the scenes that is held out, 0..4.

    Raises:
        DataError: all scenes of TID2013 are held out.
    """
    counts = [count_examples(path) for path in files]
    shape = (sum(counts), STANDARD.size, STANDARD.size, 3)
    photos = new_disk_array(cache, np.uint8, shape)
    facts: list[Examples] = []
    for path, end in zip(files, np.cumsum(counts), strict=True):
        examples = Examples.load(path)
        photos[end - len(examples.kinds) : end] = examples.photos
        facts.append(replace(examples, photos=photos[:0]))
    photos.flush()
    rated = [e for e in facts if e.kinds[0].startswith("tid-") and not is_held_out(e.scene, fold)]
    if not rated:
        raise DataError(
            "all scenes of TID2013 are held out, so there is nothing to fit the judge on; give "
            "--tid a mos.csv that scores more of kodak01.png to kodak24.png, in the same folder"
        )
    judge = FullReferenceJudge().fit(
        np.concatenate([e.distortion for e in rated]), np.concatenate([e.scores for e in rated])
    )
    scenes = np.array([e.scene for e in facts]).repeat(counts)
    return ExampleTable(
        np.load(cache, mmap_mode="r"),
        scenes,
        np.concatenate([e.kinds for e in facts]),
        np.concatenate([grade(e.scores, e.distortion, judge) for e in facts]),
        np.concatenate([e.deviations for e in facts]),
        np.array([is_held_out(scene, fold) for scene in scenes]),
    )


def grade(
    scores: npt.NDArray[np.float32],
    distortion: npt.NDArray[np.float32],
    judge: FullReferenceJudge,
) -> npt.NDArray[np.float32]:
    """Fill in the scores that no person gave, for the examples of one scene.

    The judge predicts which share of its quality a flawless original would keep; here the original
    keeps the same share of its own score.

    Args:
        scores: (n,) with the original's score first and NaN where the judge has to score.
        distortion: (n, 18) features against the original.
        judge: fitted.
    """
    missing = np.isnan(scores)
    if not missing.any():
        return scores
    graded = scores.copy()
    kept = (judge.score(distortion[missing]) - 1) / (FLAWLESS - 1)
    graded[missing] = 1 + np.minimum(kept, 1) * (scores[0] - 1)
    return graded
