"""The scorer's training set: photos as the network sees them, each with a human-scaled score.

Three sources, on one scale (see :mod:`pipelines.opinions`):

* LIVE Challenge photos with their opinions, and each degraded twice with every degradation but
  overexposure;
* TID2013 distortions, made again, with theirs;
* clean photos with degradations, and what enhancers and clumsy filters make of them, and with
  distortions of TID2013 (as KADIS-700k does, Lin et al. 2020, arXiv:2001.08113).

No person rated what is made here. :class:`~pipelines.training.scorer.judge.ReferenceJudge`, fitted on TID2013,
grades it against the original, and the grade scales the original's own score. So the scorer learns
for a thousand scenes what is worse than what, what restoration gains, and that over-sharpened or
over-smoothed is worse than untouched. LIVE Challenge photos are only degraded, not restored: they
have noise and blur of their own, whose removal the judge would take for damage.

Each source photo becomes an ``.npz`` file, or two, so that an interrupted build goes on where it
stopped. Files are named by all that they are made from, so that a folder shared by trainings never
gives examples of another photo, of other opinions or of another enhancer.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipelines.data.available import identified
from pipelines.data.disk_array import write_npz
from pipelines.data.pixels import FloatPhoto, Pixels, to_float, to_pixels
from pipelines.data.processes import worker_processes
from pipelines.degradation.model import KINDS, Kind, degrade, random_factors
from pipelines.enhancers import Enhancer, enhance_pixels, load_enhancer
from pipelines.enhancers.classical.shrinkage import shrink
from pipelines.opinions import FLAWLESS
from pipelines.opinions.live_challenge import RatedPath, read_live_challenge
from pipelines.opinions.tid2013 import (
    LEVEL_PSNR,
    TOLERANCE,
    TYPES,
    read_scores,
    read_tid2013,
    remake,
    scene_numbers,
)
from pipelines.training.scorer.judge import ReferenceJudge, damage
from pipelines.training.scorer.losses import TYPICAL_DEVIATION
from trigger.console.terminal import leave_out
from trigger.errors import PhotoError
from trigger.files import make_folder
from trigger.photo import find_photos, photo_hash, read_photo, read_photo_bytes
from trigger.preprocessing import STANDARD

CROP = 512
STRENGTHS = 2  # versions of one degradation, so that strong can be told from mild
DISTORTIONS = 6  # types of TID2013 that each clean photo shows, in two levels each
RESTORED_BY = ("classical", "restorer")  # one or the other, so that the scorer is partial to none


@dataclass(frozen=True)
class Examples:
    """All examples of one scene.

    Attributes:
        scene: content hash of the original photo.
        photos: (n, 448, 448, 3) uint8.
        kinds: (n,) what each is: ``live``, ``tid-TYPE-LEVEL`` or ``VIEW/original``, and
            ``VIEW/KIND-STRENGTH/degraded`` or the like for what was made from it; the strength of
            kind ``tid`` is TYPE times 10 plus LEVEL.
        scores: (n,) float32 mean opinion 1..10; NaN where the judge still has to grade.
        deviations: (n,) float32 spread of opinions.
        damage: (n, 18) float32 damage against the original; NaN where there is none.
    """

    scene: str
    photos: Pixels
    kinds: npt.NDArray[np.str_]
    scores: npt.NDArray[np.float32]
    deviations: npt.NDArray[np.float32]
    damage: npt.NDArray[np.float32]

    def save(self, path: Path) -> None:
        """Write whole or not at all."""
        write_npz(
            path,
            scene=np.array(self.scene),
            photos=self.photos,
            kinds=self.kinds,
            scores=self.scores,
            deviations=self.deviations,
            damage=self.damage,
        )

    @staticmethod
    def load(path: Path) -> Examples:
        """Read what :meth:`save` wrote."""
        with np.load(path) as arrays:
            return Examples(str(arrays["scene"]), *(arrays[name] for name in _ARRAYS))


_ARRAYS = ("photos", "kinds", "scores", "deviations", "damage")


def count_examples(path: Path) -> int:
    """How many examples a file holds, without reading its photos."""
    with np.load(path) as arrays:
        return len(arrays["kinds"])


def build_examples(
    live: Path | None, tid: Path, clean: list[Path], out: Path, seed: int
) -> list[Path]:
    """Build what is missing in ``out`` and return all example files, sorted.

    Photos that cannot be read are named on standard error and left out.

    Raises:
        DataError: TID2013 or LIVE Challenge is not there.
    """
    cv2.setNumThreads(1)
    make_folder(out)
    jobs = {out / name: job for name, job in plan_examples(live, tid, clean, seed).items()}
    missing = {path: job for path, job in jobs.items() if not _is_whole(path)}
    with worker_processes() as pool:
        results = pool.map(_build_one, missing.items())
        bar = tqdm(results, "scorer examples", len(missing), unit="scene", disable=None)
        for path, problem in zip(missing, bar, strict=True):
            if problem:
                leave_out(problem)
                del jobs[path]
    return sorted(jobs)


def _is_whole(path: Path) -> bool:
    try:
        return count_examples(path) > 0
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return False


def plan_examples(
    live: Path | None, tid: Path, clean: list[Path], seed: int
) -> dict[str, Callable[[], Examples]]:
    """Name of each example file, after all that its content depends on, and how it is built.

    Photos whose file cannot be read are named on standard error and left out.
    """
    jobs: dict[str, Callable[[], Examples]] = {}
    opinions = read_scores(tid)
    for number in scene_numbers(opinions):
        rated = opinions[opinions["kodak"] == number].to_csv(index=False)
        for _, photo_id in identified([tid / f"kodak{number:02d}.png"]):
            jobs[_file_name("tid", photo_id, rated)] = partial(_tid_scene, tid, number)
    versions = [enhancer.version for enhancer in _enhancers()]
    for photo, photo_id in identified(find_photos(clean)):
        name = _file_name("clean", photo_id, seed, RESTORED_BY, versions)
        jobs[name] = partial(_clean_scene, photo, seed)
        jobs[_file_name("distorted", photo_id, seed)] = partial(_distorted_scene, photo, seed)
    if live is not None:
        opinions_of = {opinion.path: opinion for opinion in read_live_challenge(live)}
        for photo, photo_id in identified(opinions_of):
            opinion = opinions_of[photo]
            name = _file_name("live", photo_id, seed, opinion.score, opinion.deviation)
            jobs[name] = partial(_live_scene, opinion, seed)
    return jobs


def _file_name(source: str, photo: str, *facts: object) -> str:
    others = hashlib.sha256(repr((STANDARD.version, *facts)).encode()).hexdigest()
    return f"{source}-{photo[:16]}-{others[:8]}.npz"


def _build_one(item: tuple[Path, Callable[[], Examples]]) -> str:
    """Returns why it could not be, where the photo is broken."""
    cv2.setNumThreads(1)
    path, build = item
    try:
        build().save(path)
    except PhotoError as error:
        return str(error)
    return ""


def _live_scene(rated: RatedPath, seed: int) -> Examples:
    data = read_photo_bytes(rated.path)
    scene = photo_hash(data)
    rng = np.random.default_rng([seed, int(scene[:12], 16)])
    pixels = read_photo(data, name=str(rated.path)).pixels
    reference = STANDARD.apply(pixels)
    kinds, photos = ["live"], [reference]
    for kind, degraded in _degraded(to_float(pixels), ("noise", "blur", "jpeg", "mixed"), rng):
        kinds.append(f"live/{kind}/degraded")
        photos.append(STANDARD.apply(degraded))
    scores = np.full(len(kinds), np.nan, np.float32)
    scores[0] = rated.score
    return Examples(
        scene,
        np.stack(photos),
        np.array(kinds),
        scores,
        np.full(len(kinds), rated.deviation, np.float32),
        np.stack([damage(photo, reference) for photo in photos]),
    )


def _tid_scene(folder: Path, number: int) -> Examples:
    rated = list(read_tid2013(folder, {number}))
    reference = STANDARD.apply(rated[0].original)
    photos = np.stack([STANDARD.apply(photo.pixels) for photo in rated])
    return Examples(
        photo_hash(read_photo_bytes(folder / f"kodak{number:02d}.png")),
        photos,
        np.array([f"tid-{photo.type}-{photo.level}" for photo in rated]),
        np.array([photo.score for photo in rated], np.float32),
        np.full(len(rated), TYPICAL_DEVIATION, np.float32),
        np.stack([damage(photo, reference) for photo in photos]),
    )


def _clean_scene(path: Path, seed: int) -> Examples:
    data = read_photo_bytes(path)
    scene = photo_hash(data)
    rng = np.random.default_rng([seed, int(scene[:12], 16)])
    pixels = read_photo(data, name=str(path)).pixels
    kinds: list[str] = []
    photos: list[Pixels] = []
    damages: list[npt.NDArray[np.float32]] = []
    for view, original in _views(pixels, rng):
        reference = STANDARD.apply(original)
        for kind, version in _versions(original, rng):
            photo = STANDARD.apply(version)
            kinds.append(f"{view}/{kind}")
            photos.append(photo)
            damages.append(damage(photo, reference))
    return _made_from_flawless(scene, kinds, photos, damages)


def _distorted_scene(path: Path, seed: int) -> Examples:
    data = read_photo_bytes(path)
    scene = photo_hash(data)
    rng = np.random.default_rng([seed, int(scene[:12], 16), 1])
    # The crop where there is one: reduced to 448 pixels, fine distortions of the whole would fade.
    *_, (_, original) = _views(read_photo(data, name=str(path)).pixels, rng)
    kinds, photos = ["distorted/original"], [STANDARD.apply(original)]
    for chosen in rng.choice(len(TYPES), DISTORTIONS, replace=False):
        for level in map(int, rng.choice(list(LEVEL_PSNR), STRENGTHS, replace=False)):
            kind, noise = TYPES[chosen], int(rng.integers(2**32))
            distorted, reached = remake(original, kind, level, noise)
            if abs(reached - LEVEL_PSNR[level]) <= TOLERANCE:
                kinds.append(f"distorted/tid-{kind.number * 10 + level}/degraded")
                photos.append(STANDARD.apply(distorted))
    damages = [damage(photo, photos[0]) for photo in photos]
    return _made_from_flawless(scene, kinds, photos, damages)


def _made_from_flawless(
    scene: str, kinds: list[str], photos: list[Pixels], damages: list[npt.NDArray[np.float32]]
) -> Examples:
    """Examples that the judge has yet to grade, but for the originals."""
    scores = [FLAWLESS if kind.endswith("/original") else np.nan for kind in kinds]
    return Examples(
        scene,
        np.stack(photos),
        np.array(kinds),
        np.array(scores, np.float32),
        np.full(len(kinds), TYPICAL_DEVIATION, np.float32),
        np.stack(damages),
    )


def _views(pixels: Pixels, rng: np.random.Generator) -> Iterator[tuple[str, Pixels]]:
    """The whole photo and, where it is large, a crop at its native resolution."""
    yield "whole", pixels
    height, width = pixels.shape[:2]
    if min(height, width) > CROP:
        top, left = rng.integers(height - CROP + 1), rng.integers(width - CROP + 1)
        yield "crop", pixels[top : top + CROP, left : left + CROP]


def _versions(original: Pixels, rng: np.random.Generator) -> Iterator[tuple[str, Pixels]]:
    """The original, degraded and restored versions, and clumsy processing of each sort."""
    enhancers = _enhancers()

    def restored(photo: Pixels) -> Pixels:
        return enhance_pixels(enhancers[rng.integers(len(enhancers))], photo)

    yield "original", original
    yield "original/restored", restored(original)
    values = to_float(original)
    for kind, degraded in _degraded(values, [kind for kind in KINDS if kind != "none"], rng):
        yield f"{kind}/degraded", degraded
        yield f"{kind}/restored", restored(degraded)
        if rng.random() < 0.1:
            yield f"{kind}/oversharp", _oversharpen(degraded, rng)
    yield "original/oversharp", _oversharpen(original, rng)
    smooth = shrink(values, float(rng.uniform(30, 120)) / 255)
    yield "original/oversmooth", to_pixels(smooth)


@cache
def _enhancers() -> list[Enhancer]:
    return [load_enhancer(name) for name in RESTORED_BY]


def _degraded(
    values: FloatPhoto, kinds: Sequence[Kind], rng: np.random.Generator
) -> Iterator[tuple[str, Pixels]]:
    """Each degradation in several random strengths, named ``KIND-STRENGTH``."""
    for kind in kinds:
        for strength in range(STRENGTHS):
            yield f"{kind}-{strength}", degrade(values, random_factors(kind, rng), rng)


def _oversharpen(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    values = to_float(pixels)
    soft = cv2.GaussianBlur(values, (0, 0), float(rng.uniform(0.7, 2.5)))
    sharp = values + float(rng.uniform(1, 4)) * (values - soft)
    return to_pixels(sharp)


def grade(
    scores: npt.NDArray[np.float32], damages: npt.NDArray[np.float32], judge: ReferenceJudge
) -> npt.NDArray[np.float32]:
    """Fill in the scores that no person gave, for the examples of one scene.

    Args:
        scores: (n,) with the original's score first and NaN where the judge has to grade.
        damages: (n, 18) against the original.
        judge: knows what a flawless original loses; one that starts lower has less to lose.
    """
    open_rows = np.isnan(scores)
    if not open_rows.any():
        return scores
    graded = scores.copy()
    left = (judge.score(damages[open_rows]) - 1) / (FLAWLESS - 1)
    graded[open_rows] = 1 + np.minimum(left, 1) * (scores[0] - 1)
    return graded
