"""Folders of degraded photos: versions of good photos, with the applied factors on record."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from pipelines.data.lock import working_in
from pipelines.data.pixels import Pixels, to_float
from pipelines.data.processes import worker_processes
from pipelines.data.provenance import (
    Row,
    begin_unfinished,
    one_each,
    photos_outside,
    put_in_place,
    read_records,
    record_rows,
)
from pipelines.data.rejects import storable
from pipelines.degradation.camera import CameraFactors, camera_pair, random_camera_factors
from pipelines.degradation.hard_negatives import HARD_NEGATIVES, HardNegative, hard_negative
from pipelines.degradation.model import (
    BEST_QUALITY,
    KINDS,
    Factors,
    Kind,
    jpeg_bytes,
    random_factors,
    sensor,
)
from trigger.console.progress import progress
from trigger.errors import DataError, PhotoError
from trigger.files import write_atomically
from trigger.photo import photo_hash, read_photo, read_photo_bytes
from trigger.photo.encode import encode

logger = logging.getLogger(__name__)

AnyKind = Kind | HardNegative | Literal["camera"]
AnyFactors = Factors | CameraFactors
ALL_KINDS: tuple[AnyKind, ...] = (*KINDS, *HARD_NEGATIVES, "camera")
"""Their order is part of the seeds: new ones come last."""
MAX_STEM_BYTES = 190  # of the original's name within the name of its versions


@dataclass(frozen=True)
class DegradedFolder:
    """What a run of ``degrade_photos`` has made.

    Attributes:
        photos: how many photos were written.
        scenes: of how many scenes they are.
        rejected: how many originals could not be read.
    """

    photos: int
    scenes: int
    rejected: int


def degrade_photos(
    photos: Sequence[Path],
    out: Path,
    *,
    kinds: Sequence[AnyKind] = KINDS,
    versions: int = 1,
    seed: int = 0,
    show_progress: bool = False,
) -> DegradedFolder:
    """Write degraded versions of photos to a folder, and record the applied factors there.

    The same seed gives the same files. A folder that holds degraded photos already gains the new
    ones, those of another seed too. Photos that cannot be read are logged and skipped.

    Args:
        photos: flawless photos or folders of them; those in ``out`` are ignored.
        out: folder for the degraded photos and their record, ``degradations.csv``.
        kinds: which degradations; ``none`` copies the photo as it is.
        versions: of each kind but ``none``, per photo.
        seed: of the random strengths, 0 to 2**32 - 1.
        show_progress: show a progress bar.

    Raises:
        DataError: there are no photos, or none could be read.
        OptionError: ``out`` cannot be written, or another run writes to it.

    Example:
        >>> degrade_photos([Path("clean")], Path("out"), kinds=["noise", "jpeg"])  # doctest: +SKIP
        DegradedFolder(photos=20, scenes=10, rejected=0)
    """
    originals = photos_outside(out, photos)
    if not originals:
        raise DataError(
            f"no photos found in {', '.join(map(str, photos))}; those in {out} do not count"
        )
    with working_in(out):
        known = record_rows(out)
        # Versions of photos that were degraded before stay with the scene of their original.
        scenes = read_records(originals)["scene"].to_dict()
        unfinished = begin_unfinished(out)
        work = partial(_degrade_photo, out=unfinished, kinds=kinds, versions=versions, seed=seed)
        made: list[Row] = []
        rejected = 0
        with worker_processes() as pool:
            results = pool.map(work, originals)
            for result in progress(results, "degrading", total=len(originals), shown=show_progress):
                if isinstance(result, PhotoError):
                    rejected += 1
                    logger.warning("skipped %s", result)
                else:
                    made += result
        rows = [row | {"scene": scenes.get(row["scene"], row["scene"])} for row in one_each(made)]
        put_in_place(out, known, rows)
    if rejected == len(originals):
        raise DataError(f"none of the {rejected} photos could be read")
    return DegradedFolder(len(rows), len({row["scene"] for row in rows}), rejected)


def _degrade_photo(
    path: Path, out: Path, kinds: Sequence[AnyKind], versions: int, seed: int
) -> list[Row] | PhotoError:
    cv2.setNumThreads(1)
    try:
        data = read_photo_bytes(path)
        pixels = read_photo(data, name=str(path)).pixels
    except PhotoError as error:
        return error
    scene = photo_hash(data)
    records = []
    for kind, version, factors, rng in _plan(scene, kinds, versions, seed):
        # File names may have 255 bytes; that of the temporary file is a little longer.
        name = storable(path.stem).encode()[:MAX_STEM_BYTES].decode(errors="ignore")
        stem = f"{name}-{scene[:8]}-{kind}-{version}"
        if kind == "none":
            target, content = out / f"{stem}{storable(path.suffix.lower())}", data
        else:
            stem += f"-seed{seed}" if seed else ""
            made = hard_negative(kind, pixels, rng) if kind in HARD_NEGATIVES else pixels
            suffix, content = _encode(made, factors, rng)
            target = out / f"{stem}.{suffix}"
        write_atomically(target, content)
        records.append(
            {
                "photo": photo_hash(content),
                "path": target.name,
                "scene": scene,
                "source": storable(path.name),
                "kind": kind,
                "factors": json.dumps(factors.to_json()),
            }
        )
    return records


def _plan(
    scene: str, kinds: Sequence[AnyKind], versions: int, seed: int
) -> Iterator[tuple[AnyKind, int, AnyFactors, np.random.Generator]]:
    for kind in kinds:
        for version in range(1 if kind == "none" else versions):
            # Seeded by what is made, so that adding kinds or photos changes no other file.
            words = [seed, int(scene[:12], 16), ALL_KINDS.index(kind), version]
            rng = np.random.default_rng(words)
            yield kind, version, _random_factors(kind, rng), rng


def _random_factors(kind: AnyKind, rng: np.random.Generator) -> AnyFactors:
    if kind == "camera":
        return random_camera_factors(rng)
    return random_factors(kind, rng) if kind in KINDS else _saved(rng)


def _saved(rng: np.random.Generator) -> Factors:
    """Draw how thumbnails and screenshots are saved: as PNG or as a JPEG of fair quality."""
    return Factors(
        jpeg_quality=int(rng.integers(60, BEST_QUALITY + 1)) if rng.random() < 0.5 else None
    )


def _encode(pixels: Pixels, factors: AnyFactors, rng: np.random.Generator) -> tuple[str, bytes]:
    """Degrade pixels; return the extension and content of the file."""
    if isinstance(factors, CameraFactors):  # which compresses, perhaps more than once
        _, values = camera_pair(to_float(pixels), factors, rng)
        return "png", encode(values, "PNG", compress_level=1)
    values = sensor(to_float(pixels), factors, rng)
    if factors.jpeg_quality is not None:
        return "jpg", jpeg_bytes(values, factors.jpeg_quality)
    return "png", encode(values, "PNG", compress_level=1)
