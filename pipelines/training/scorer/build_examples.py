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
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2

from pipelines.data.available import with_hashes
from pipelines.data.processes import worker_processes
from pipelines.opinions.live_challenge import read_live_challenge
from pipelines.opinions.tid2013 import (
    read_scores,
    scene_numbers,
)
from pipelines.training.scorer.examples import Examples, count_examples
from pipelines.training.scorer.scenes import (
    RESTORED_BY,
    clean_scene,
    distorted_scene,
    enhancers,
    live_scene,
    tid_scene,
)
from trigger.console.progress import progress
from trigger.errors import PhotoError
from trigger.files import make_folder
from trigger.photo import find_photos
from trigger.preprocessing import STANDARD

logger = logging.getLogger(__name__)


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
        for _, photo_id in with_hashes([tid / f"kodak{number:02d}.png"]):
            jobs[_file_name("tid", photo_id, rated)] = partial(tid_scene, tid, number)
    versions = [enhancer.version for enhancer in enhancers()]
    for photo, photo_id in with_hashes(find_photos(clean)):
        name = _file_name("clean", photo_id, seed, RESTORED_BY, versions)
        jobs[name] = partial(clean_scene, photo, seed)
        jobs[_file_name("distorted", photo_id, seed)] = partial(distorted_scene, photo, seed)
    if live is not None:
        opinions_of = {opinion.path: opinion for opinion in read_live_challenge(live)}
        for photo, photo_id in with_hashes(opinions_of):
            opinion = opinions_of[photo]
            name = _file_name("live", photo_id, seed, opinion.score, opinion.deviation)
            jobs[name] = partial(live_scene, opinion, seed)
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
