"""Training examples of the scorer: preprocessed photos with scores on the human scale.

Three sources, on one scale (see :mod:`pipelines.opinions`):

* LIVE Challenge photos with their opinions, and each degraded twice by every degradation but
  overexposure;
* TID2013 distortions, made again, with theirs;
* clean photos with degradations, what enhancers and excessive filters make of them, and
  distortions of TID2013 (as in KADIS-700k, Lin et al. 2020, arXiv:2001.08113).

No person rated the photos that are made here. A full-reference model fitted on TID2013
(:mod:`~pipelines.training.scorer.judge`) scores them against the original, scaled by the
original's own score. So the scorer learns on a thousand scenes which version is better, what
restoration gains, and that over-sharpened or over-smoothed photos are worse than untouched ones.
LIVE Challenge photos are degraded but not restored: the model would take the removal of their own
noise and blur for distortion.

Each source photo becomes one or two ``.npz`` files, so that an interrupted build resumes. File
names contain a hash of everything that the content depends on, so that trainings can share a
folder.
"""

from __future__ import annotations

import hashlib
import logging
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

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
from pipelines.training.scorer.judge import distortion_features
from pipelines.training.scorer.losses import TYPICAL_DEVIATION
from trigger.console.progress import progress
from trigger.errors import PhotoError
from trigger.files import make_folder
from trigger.photo import find_photos, photo_hash, read_photo, read_photo_bytes
from trigger.preprocessing import STANDARD

logger = logging.getLogger(__name__)

CROP = 512
"""Side of the crop of large photos, in pixels."""
STRENGTHS = 2
"""Versions of each degradation, so that the scorer learns to rank strengths."""
DISTORTIONS = 6
"""Types of TID2013 per clean photo, in two levels each."""
RESTORED_BY = ("classical", "restorer")
"""Enhancers, one of which is drawn for each version, so that the scorer favours neither."""


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


def build_examples(
    live: Path | None,
    tid: Path,
    clean: Sequence[Path],
    out: Path,
    seed: int,
    *,
    show_progress: bool = False,
) -> list[Path]:
    """Build the example files that are missing in ``out``; returns all of them, sorted.

    Photos that cannot be read are skipped with a warning.

    Args:
        live: folder of LIVE Challenge; None: do without.
        tid: folder of TID2013.
        clean: flawless photos, or folders of them.
        out: folder for the example files; made if it does not exist.
        seed: of everything random.
        show_progress: draw a progress bar on stderr if that is a terminal.

    Raises:
        DataError: files of TID2013 or LIVE Challenge are missing.
    """
    cv2.setNumThreads(1)
    make_folder(out)
    jobs = {out / name: job for name, job in plan_examples(live, tid, clean, seed).items()}
    missing = {path: job for path, job in jobs.items() if not _is_whole(path)}
    with worker_processes() as pool:
        results = pool.map(_build_one, missing.items())
        bar = progress(
            results, "scorer examples", total=len(missing), unit="scenes", shown=show_progress
        )
        for path, problem in zip(missing, bar, strict=True):
            if problem:
                logger.warning("skipped %s", problem)
                del jobs[path]
    return sorted(jobs)


def _is_whole(path: Path) -> bool:
    try:
        return count_examples(path) > 0
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return False


def plan_examples(
    live: Path | None, tid: Path, clean: Sequence[Path], seed: int
) -> dict[str, Callable[[], Examples]]:
    """Names of all example files, each with the function that builds its content.

    Photos whose file cannot be read are skipped with a warning.
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
    """Build and save the examples of a scene; returns the reason where its photo is broken."""
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
        np.stack([distortion_features(photo, reference) for photo in photos]),
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
        np.stack([distortion_features(photo, reference) for photo in photos]),
    )


def _clean_scene(path: Path, seed: int) -> Examples:
    data = read_photo_bytes(path)
    scene = photo_hash(data)
    rng = np.random.default_rng([seed, int(scene[:12], 16)])
    pixels = read_photo(data, name=str(path)).pixels
    kinds: list[str] = []
    photos: list[Pixels] = []
    distortion: list[npt.NDArray[np.float32]] = []
    for view, original in _views(pixels, rng):
        reference = STANDARD.apply(original)
        for kind, version in _versions(original, rng):
            photo = STANDARD.apply(version)
            kinds.append(f"{view}/{kind}")
            photos.append(photo)
            distortion.append(distortion_features(photo, reference))
    return _made_from_flawless(scene, kinds, photos, distortion)


def _distorted_scene(path: Path, seed: int) -> Examples:
    data = read_photo_bytes(path)
    scene = photo_hash(data)
    rng = np.random.default_rng([seed, int(scene[:12], 16), 1])
    # The crop if there is one: reduced to 448 pixels, the whole would lose fine distortions.
    *_, (_, original) = _views(read_photo(data, name=str(path)).pixels, rng)
    kinds, photos = ["distorted/original"], [STANDARD.apply(original)]
    for chosen in rng.choice(len(TYPES), DISTORTIONS, replace=False):
        for level in map(int, rng.choice(list(LEVEL_PSNR), STRENGTHS, replace=False)):
            kind, noise = TYPES[chosen], int(rng.integers(2**32))
            distorted, reached = remake(original, kind, level, noise)
            if abs(reached - LEVEL_PSNR[level]) <= TOLERANCE:
                kinds.append(f"distorted/tid-{kind.number * 10 + level}/degraded")
                photos.append(STANDARD.apply(distorted))
    distortion = [distortion_features(photo, photos[0]) for photo in photos]
    return _made_from_flawless(scene, kinds, photos, distortion)


def _made_from_flawless(
    scene: str, kinds: list[str], photos: list[Pixels], distortion: list[npt.NDArray[np.float32]]
) -> Examples:
    """Examples of which only the originals have a score yet."""
    scores = [FLAWLESS if kind.endswith("/original") else np.nan for kind in kinds]
    return Examples(
        scene,
        np.stack(photos),
        np.array(kinds),
        np.array(scores, np.float32),
        np.full(len(kinds), TYPICAL_DEVIATION, np.float32),
        np.stack(distortion),
    )


def _views(pixels: Pixels, rng: np.random.Generator) -> Iterator[tuple[str, Pixels]]:
    """Yield the whole photo and, where it is large, a crop at full resolution."""
    yield "whole", pixels
    height, width = pixels.shape[:2]
    if min(height, width) > CROP:
        top, left = rng.integers(height - CROP + 1), rng.integers(width - CROP + 1)
        yield "crop", pixels[top : top + CROP, left : left + CROP]


def _versions(original: Pixels, rng: np.random.Generator) -> Iterator[tuple[str, Pixels]]:
    """Yield the original, degraded, restored, over-sharpened and over-smoothed versions."""
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
    """Yield each degradation in several random strengths, named ``KIND-STRENGTH``."""
    for kind in kinds:
        for strength in range(STRENGTHS):
            yield f"{kind}-{strength}", degrade(values, random_factors(kind, rng), rng)


def _oversharpen(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    values = to_float(pixels)
    soft = cv2.GaussianBlur(values, (0, 0), float(rng.uniform(0.7, 2.5)))
    sharp = values + float(rng.uniform(1, 4)) * (values - soft)
    return to_pixels(sharp)
