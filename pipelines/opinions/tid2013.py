"""TID2013: human scores of graded distortions, with the distorted photos made again.

Ponomarenko et al., "Image database TID2013: Peculiarities, results and perspectives", Signal
Processing: Image Communication 30 (2015), doi:10.1016/j.image.2014.10.009. The scores are
published for 24 types of distortion at five levels of about 33, 30, 27, 24 and 21 dB PSNR. The
types in :data:`TYPES` are defined well enough to be made again from the originals: the strength
is searched until the PSNR of the level is reached, so that the human score fits the photo.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from pipelines.data.pixels import Pixels, to_float, to_pixels
from pipelines.enhancers.classical.shrinkage import SHRINKAGE, shrink
from pipelines.evaluation.fidelity import psnr
from pipelines.opinions import FLAWLESS
from pipelines.opinions.score_table import read_score_table
from trigger.errors import DataError
from trigger.photo import read_photo
from trigger.photo.encode import encode

LAYOUT = "folder of the originals, kodakNN.png, and mos.csv (columns kodak, type, level, mos_0_9)"
TOLERANCE = 1.0  # dB
LEVEL_PSNR = {1: 33.0, 2: 30.0, 3: 27.0, 4: 24.0, 5: 21.0}
# TID2013 does not score the originals themselves. Its least visible distortions (chromatic
# aberration, mean shift and denoising at level 1) average 6.1 of 9, so originals lie there.
ORIGINAL_MOS = 6.2

Distortion = Callable[[Pixels, float, np.random.Generator], Pixels]


@dataclass(frozen=True)
class RatedPhoto:
    """A distorted photo with its human score.

    Attributes:
        scene: name of the original.
        type: number of the distortion in TID2013, 0 for the original.
        level: 1..5, 0 for the original.
        pixels: (H, W, 3) uint8.
        original: (H, W, 3) uint8.
        mos: mean opinion on TID2013's scale, 0..9.
    """

    scene: str
    type: int
    level: int
    pixels: Pixels
    original: Pixels
    mos: float

    @property
    def score(self) -> float:
        """Mean opinion on the common scale of 1..10."""
        return to_score(self.mos)

    @property
    def gain(self) -> float:
        """How much better people find the original, in points on TID2013's scale."""
        return ORIGINAL_MOS - self.mos


def to_score(mos: float) -> float:
    """Map TID2013's 0..9 to the common 1..10, originals to :data:`FLAWLESS`."""
    return float(np.clip(1 + mos * (FLAWLESS - 1) / ORIGINAL_MOS, 1, 10))


def _rounded(values: npt.NDArray[np.floating[Any]]) -> Pixels:
    return to_pixels(values / 255)


def _white(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    return _rounded(pixels + strength * rng.standard_normal(pixels.shape))


def _chroma(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    ycc = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    noise = strength * rng.standard_normal(ycc.shape) * np.array([0.5, 1, 1])
    return cv2.cvtColor(_rounded(ycc + noise), cv2.COLOR_YCrCb2RGB)


def _filtered(pixels: Pixels, strength: float, rng: np.random.Generator, high: bool) -> Pixels:
    noise = rng.standard_normal(pixels.shape).astype(np.float32)
    low = cv2.GaussianBlur(noise, (0, 0), 1.0)
    shaped = noise - low if high else low
    return _rounded(pixels + strength * shaped / shaped.std())


def _correlated(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    return _filtered(pixels, strength, rng, high=False)


def _high_frequency(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    return _filtered(pixels, strength, rng, high=True)


def _impulse(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    hit = rng.random(pixels.shape) < strength / 400
    salt_and_pepper = rng.choice(np.array([0, 255], np.uint8), pixels.shape)
    return np.where(hit, salt_and_pepper, pixels)


def _quantization(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    step = max(strength, 1.0)
    return _rounded((np.floor(pixels / step) + 0.5) * step)


def _gaussian_blur(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    return cv2.GaussianBlur(pixels, (0, 0), strength / 8)


def _denoised(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    noisy = to_float(_white(pixels, strength, rng))
    return to_pixels(shrink(noisy, SHRINKAGE * strength / 255))


def _jpeg(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    quality = int(np.clip(np.rint(100 - strength), 1, 95))
    return read_photo(encode(pixels, "JPEG", quality=quality, subsampling=2)).pixels


def _jpeg2000(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    settings = {"quality_mode": "rates", "quality_layers": [strength * 4], "mct": 1}
    with Image.open(io.BytesIO(encode(pixels, "JPEG2000", **settings))) as decoded:
        return np.array(decoded.convert("RGB"))


def _multiplicative(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    return _rounded(pixels * (1 + strength / 100 * rng.standard_normal(pixels.shape)))


def _compressed_noise(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    return _jpeg2000(_white(pixels, strength / 2, rng), strength, rng)


@dataclass(frozen=True)
class Distortion2013:
    """A distortion that is made again: its number in TID2013, function and largest strength."""

    number: int
    apply: Distortion
    strongest: float


TYPES = (
    Distortion2013(1, _white, 60),
    Distortion2013(2, _chroma, 90),
    Distortion2013(3, _correlated, 60),
    Distortion2013(5, _high_frequency, 60),
    Distortion2013(6, _impulse, 60),
    Distortion2013(7, _quantization, 120),
    Distortion2013(8, _gaussian_blur, 80),
    Distortion2013(9, _denoised, 150),
    Distortion2013(10, _jpeg, 99),
    Distortion2013(11, _jpeg2000, 150),
    Distortion2013(19, _multiplicative, 80),
    Distortion2013(21, _compressed_noise, 100),
)


def remake(
    original: Pixels, distortion: Distortion2013, level: int, seed: int
) -> tuple[Pixels, float]:
    """Return the distorted photo of a level and its PSNR, by bisection of the strength."""
    low, high = 0.0, distortion.strongest
    best, reached = original, 100.0
    for _ in range(12):
        strength = (low + high) / 2
        candidate = distortion.apply(original, strength, np.random.default_rng(seed))
        value = psnr(original, candidate)
        if abs(value - LEVEL_PSNR[level]) < abs(reached - LEVEL_PSNR[level]):
            best, reached = candidate, value
        if abs(reached - LEVEL_PSNR[level]) < 0.1:
            break
        low, high = (strength, high) if value > LEVEL_PSNR[level] else (low, strength)
    return best, reached


def read_scores(folder: Path) -> pd.DataFrame:
    """Read ``mos.csv``, with columns kodak, type, level and mos_0_9.

    Raises:
        DataError: the file, a column, an original, or a score of a photo that is made again is
            missing, a photo is scored twice, or a score is not a number.
    """
    path = folder / "mos.csv"
    ranges = {"kodak": (1, 24), "type": (1, 24), "level": (1, 5), "mos_0_9": (0, 9)}
    keys = ["kodak", "type", "level"]
    table = read_score_table(path, keys, ranges)
    scored = set(table[keys].itertuples(index=False, name=None))
    needed = product(sorted(set(table["kodak"])), (kind.number for kind in TYPES), LEVEL_PSNR)
    missing = [key for key in needed if key not in scored]
    if missing:
        raise DataError(
            f"{path}: holds no score of kodak, type and level {missing[0]} (and {len(missing) - 1} "
            "others that are made again); put the whole table there"
        )
    for number in scene_numbers(table):
        if not (original := folder / f"kodak{number:02d}.png").is_file():
            raise DataError(
                f"{path} scores versions of {original.name}, which is missing; put it next to "
                "the table or delete its rows"
            )
    return table


def scene_numbers(scores: pd.DataFrame) -> list[int]:
    """Kodak numbers of the originals in what ``read_scores`` returns, each once, sorted."""
    return sorted({int(number) for number in scores["kodak"]})


def read_tid2013(folder: Path, numbers: Collection[int] | None = None) -> Iterator[RatedPhoto]:
    """Yield originals and re-made distorted photos with their human scores.

    Photos whose PSNR misses its level by more than :data:`TOLERANCE` are skipped, since the score
    would not fit them.

    Args:
        folder: holds kodakNN.png and mos.csv.
        numbers: Kodak numbers to make, all by default.
    """
    table = read_scores(folder)
    scores = table.set_index(["kodak", "type", "level"])["mos_0_9"]
    for number in scene_numbers(table):
        if numbers is not None and number not in numbers:
            continue
        scene = f"kodak{number:02d}"
        original = read_photo(folder / f"{scene}.png").pixels
        yield RatedPhoto(scene, 0, 0, original, original, ORIGINAL_MOS)
        for distortion in TYPES:
            for level, target in LEVEL_PSNR.items():
                seed = number * 1000 + distortion.number * 10 + level
                pixels, reached = remake(original, distortion, level, seed)
                if abs(reached - target) <= TOLERANCE:
                    mos = float(scores.loc[(number, distortion.number, level)])
                    yield RatedPhoto(scene, distortion.number, level, pixels, original, mos)
