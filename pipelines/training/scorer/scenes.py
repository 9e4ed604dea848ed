"""Build the examples of one scene: versions of a photo, with opinions or distortion features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.data.pixels import FloatPhoto, Pixels, to_float, to_pixels
from pipelines.degradation.model import KINDS, Kind, degrade, random_factors
from pipelines.enhancers import Enhancer, enhance_pixels, load_enhancer
from pipelines.enhancers.classical.shrinkage import shrink
from pipelines.opinions import FLAWLESS
from pipelines.opinions.live_challenge import RatedPath
from pipelines.opinions.tid2013 import (
    LEVEL_PSNR,
    TOLERANCE,
    TYPES,
    read_tid2013,
    remake,
)
from pipelines.training.scorer.examples import Examples
from pipelines.training.scorer.judge import distortion_features
from pipelines.training.scorer.losses import TYPICAL_DEVIATION
from trigger.photo import photo_hash, read_photo, read_photo_bytes
from trigger.preprocessing import STANDARD

CROP = 512
"""Side of the crop of large photos, in pixels."""
STRENGTHS = 2
"""Versions of each degradation, so that the scorer learns to rank strengths."""
DISTORTIONS = 6
"""Types of TID2013 per clean photo, in two levels each."""
RESTORED_BY = ("classical", "restorer")
"""Enhancers, one of which is drawn for each version, so that the scorer favors neither."""


def live_scene(rated: RatedPath, seed: int) -> Examples:
    """A photo of LIVE Challenge and degraded versions of it."""
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


def tid_scene(folder: Path, number: int) -> Examples:
    """All distortions of a scene of TID2013 with their opinions."""
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


def clean_scene(path: Path, seed: int) -> Examples:
    """Degraded, restored and over-processed versions of a clean photo."""
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


def distorted_scene(path: Path, seed: int) -> Examples:
    """Distortions of TID2013 made on a clean photo."""
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
    both = enhancers()

    def restored(photo: Pixels) -> Pixels:
        return enhance_pixels(both[rng.integers(len(both))], photo)

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
def enhancers() -> list[Enhancer]:
    """The enhancers whose results are among the examples."""
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
