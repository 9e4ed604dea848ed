"""Shards: the photos of a job in named portions, and what labelling one portion means.

Nothing here knows Beam. A shard's name is a hash of what goes into it, never of the time, and
its labels depend on nothing but its photos and the recipe; so a shard that is labelled twice,
by whichever engine, writes the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipelines.enhancers import Enhancer, enhance_pixels
from pipelines.labels import (
    Recipe,
    Reject,
    enhanced_file,
    storable,
    write_file,
    write_labels,
    write_rejects,
)
from pipelines.scorers import Scorer, checked_distributions, mean_score
from trigger.errors import PhotoError
from trigger.photo import photo_hash, read_photo, read_photo_bytes

EnhancedFormat = Literal["png", "jpeg", "webp"]
# PNG keeps what was scored, bit for bit; the others are for the eye and for small disks.
ENHANCED_FORMATS: dict[EnhancedFormat, dict[str, Any]] = {
    "png": {"compress_level": 1},
    "jpeg": {"quality": 95, "subsampling": 0},
    "webp": {"quality": 95},
}
STAGES = ("decode", "enhance", "score", "encode", "write")


@dataclass(frozen=True)
class Shard:
    """A named portion of a job: (hash, absolute path) of its photos."""

    name: str
    photos: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Job:
    """What all shards of one run share."""

    folder: str
    enhancer: str
    scorer: str
    recipe: Recipe
    enhanced_format: EnhancedFormat | None


@dataclass
class Inventory:
    """Every photo of the input, once: to label, already labelled, a duplicate, or unreadable."""

    photos: int = 0
    already: int = 0
    duplicates: int = 0
    unreadable: list[Reject] = field(default_factory=list)
    todo: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class ShardReport:
    """What became of one shard: photos labelled, rejects by reason, seconds by stage."""

    labelled: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))


def take_inventory(paths: Iterable[Path], labelled: Container[str]) -> Inventory:
    """Identify each photo by its content and sort out those that need no label.

    Paths must be absolute: workers may stand elsewhere. One file is held in memory at a time.
    Of several photos with the same content the first listed one is labelled.
    """
    inventory = Inventory()
    seen: set[str] = set()
    for path in paths:
        inventory.photos += 1
        try:
            photo = photo_hash(read_photo_bytes(path))
        except PhotoError as error:
            inventory.unreadable.append(Reject("", str(path), error.reason, error.message))
            continue
        if photo in seen:
            inventory.duplicates += 1
        elif photo in labelled:
            inventory.already += 1
        else:
            inventory.todo.append((photo, str(path)))
        seen.add(photo)
    return inventory


def shard_name(photos: Iterable[tuple[str, str]], recipe: Recipe) -> str:
    """Name of the shard of these photos, the same on every machine and at any time."""
    content = json.dumps([astuple(recipe), list(photos)])
    return hashlib.sha256(content.encode()).hexdigest()[:20]


def make_shards(photos: list[tuple[str, str]], recipe: Recipe, size: int) -> list[Shard]:
    """Cut photos into shards of ``size``, in their order."""
    portions = (tuple(photos[start : start + size]) for start in range(0, len(photos), size))
    return [Shard(shard_name(portion, recipe), portion) for portion in portions]


def label_shard(shard: Shard, job: Job, enhancer: Enhancer, scorer: Scorer) -> ShardReport:
    """Label the photos of a shard one by one and write what came out, the labels last.

    A photo that cannot be labelled becomes a reject with a reason: a ``PhotoReason``, "changed"
    (its content is not the one that was listed), or the stage that failed. Errors in writing
    are not the photo's fault and end the job.

    Raises:
        DataError: the labels folder cannot be written.
    """
    report = ShardReport()
    rows: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    for photo, path in shard.photos:
        try:
            rows.append(_label_photo(photo, path, job, enhancer, scorer, report.seconds))
        except _RejectedError as error:
            rejects.append(Reject(photo, path, error.reason, error.message))
    if rejects:
        write_rejects(Path(job.folder), shard.name, rejects)
    write_labels(Path(job.folder), shard.name, rows)
    report.labelled = len(rows)
    report.rejected.update(reject.reason for reject in rejects)
    return report


class _RejectedError(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message


@contextmanager
def _stage(name: str, seconds: dict[str, float]) -> Iterator[None]:
    """Time a stage of one photo, and turn whatever goes wrong in it into a reject."""
    start = time.perf_counter()
    try:
        yield
    except _RejectedError:
        raise
    except PhotoError as error:
        raise _RejectedError(error.reason, error.message) from error
    except Exception as error:  # models raise anything; one photo never stops a job
        raise _RejectedError(name, f"{type(error).__name__}: {error}") from error
    finally:
        seconds[name] += time.perf_counter() - start


def _label_photo(
    photo: str, path: str, job: Job, enhancer: Enhancer, scorer: Scorer, seconds: dict[str, float]
) -> dict[str, Any]:
    with _stage("decode", seconds):
        data = read_photo_bytes(path)
        if photo_hash(data) != photo:
            raise _RejectedError("changed", "changed while the job ran; run it again.")
        pixels = read_photo(data, name=path).pixels
        del data
    with _stage("enhance", seconds):
        enhanced = enhance_pixels(enhancer, pixels)
    with _stage("score", seconds):
        # Always a pair, never a larger batch: a batch of another size may change the last bits
        # of a score, and a photo's label would depend on its neighbours in the shard.
        distributions = checked_distributions(scorer, [pixels, enhanced])
        before, after = mean_score(distributions)
    if job.enhanced_format:
        with _stage("encode", seconds):
            encoded = _encode(enhanced, job.enhanced_format)
        start = time.perf_counter()
        extension = "jpg" if job.enhanced_format == "jpeg" else job.enhanced_format
        write_file(Path(job.folder), enhanced_file(job.recipe, photo, extension), encoded)
        seconds["write"] += time.perf_counter() - start
    return {
        "photo": photo,
        "path": storable(path),
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "input_score": before,
        "input_distribution": distributions[0],
        "enhanced_score": after,
        "delta": after - before,
        **vars(job.recipe),
    }


def _encode(pixels: npt.NDArray[np.uint8], enhanced_format: EnhancedFormat) -> bytes:
    buffer = io.BytesIO()
    options = ENHANCED_FORMATS[enhanced_format]
    Image.fromarray(pixels).save(buffer, enhanced_format, **options)
    return buffer.getvalue()
