"""Compare the scores of an exported file with those of its Keras network.

Both see the same pixels: photographs as they are and with noise, blur and compression, because
drift on easy photos says little about the ones that matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from export.flatfile import Precision
from trigger.errors import OptionError, PhotoError
from trigger.interface import Output
from trigger.photo import Pixels, find_photos, read_photo
from trigger.photo.encode import jpeg_bytes
from trigger.preprocessing import STANDARD

ScorePhotos = Callable[[Pixels], npt.NDArray[np.float32]]
"""Photos (N, 448, 448, 3) uint8 to (N, k) float32."""


@dataclass(frozen=True)
class Limits:
    """The largest tolerated difference of scores.

    Attributes:
        mean: of the absolute differences over all images.
        max: the largest of them.
    """

    mean: float
    max: float


LIMITS: dict[Precision, Limits] = {
    "float16": Limits(mean=0.005, max=0.02),
    "float32": Limits(mean=1e-4, max=1e-4),
}
"""Three times (float32: ten times) what the trunk shows on 150 photographs in 4 versions each."""


@dataclass(frozen=True)
class Row:
    """One image, scored twice.

    Attributes:
        photo: its name.
        version: "as it is", "noise", "blur" or "jpeg".
        keras: score of the Keras network.
        tflite: score of the file.
        difference: the largest absolute difference among the score and the raw outputs.
    """

    photo: str
    version: str
    keras: float
    tflite: float
    difference: float


@dataclass(frozen=True)
class Parity:
    """The comparison over all images.

    Attributes:
        precision: of the file's weights.
        limits: what is tolerated.
        threshold: of the decision, or None if the output does not decide.
        rows: one per image.
    """

    precision: Precision
    limits: Limits
    threshold: float | None
    rows: tuple[Row, ...]

    @property
    def mean(self) -> float:
        """Mean absolute difference."""
        return float(np.mean([row.difference for row in self.rows]))

    @property
    def max(self) -> float:
        """Largest absolute difference, NaN if any score is not a number."""
        return float(np.max([row.difference for row in self.rows]))

    @property
    def spread(self) -> float:
        """From the lowest to the highest score of the Keras network."""
        return float(np.ptp([row.keras for row in self.rows]))

    @property
    def flips(self) -> int:
        """Images that the file decides otherwise; 0 if the output does not decide."""
        if self.threshold is None:
            return 0
        limit = self.threshold
        return sum((row.keras >= limit) != (row.tflite >= limit) for row in self.rows)

    @property
    def failure(self) -> str | None:
        """Why the file must not be shipped, with the figures, or None if it may."""
        figures = (
            f"over {len(self.rows)} images: mean difference {self.mean:.2g} (at most "
            f"{self.limits.mean:g}), largest {self.max:.2g} (at most {self.limits.max:g}), "
            f"{self.flips} decisions flipped"
        )
        # Written so that a difference that is not a number fails.
        if not (self.mean <= self.limits.mean and self.max <= self.limits.max):
            return (
                f"the {self.precision} TFLite file does not score photographs as the Keras network "
                f"does, {figures}; export as float32, or train with smaller weights"
            )
        if self.spread == 0 or self.spread <= self.max:
            return (
                f"the Keras network scores all photographs alike (spread {self.spread:.2g}), so "
                f"nothing shows that the TFLite file does the same, {figures}; train the network"
            )
        return None

    def to_json(self) -> dict[str, Any]:
        """All figures and rows, ready for ``json.dumps``."""
        threshold = {} if self.threshold is None else {"threshold": self.threshold}
        return {
            "images": len(self.rows),
            "mean_difference": self.mean,
            "max_difference": self.max,
            "limits": asdict(self.limits),
            "spread": self.spread,
            **threshold,
            "flips": self.flips,
            "rows": [asdict(row) for row in self.rows],
        }

    def table(self) -> str:
        """The figures per version of the photographs, as lines of text."""
        lines = [f"{'photographs':<14}{'n':>5}{'mean':>10}{'largest':>10}{'flips':>7}"]
        groups = {version: self._only(version) for version in (*VERSIONS, "all")}
        lines += [
            f"{name:<14}{len(g.rows):>5}{g.mean:>10.5f}{g.max:>10.5f}{g.flips:>7}"
            for name, g in groups.items()
        ]
        return "\n".join(lines)

    def _only(self, version: str) -> Parity:
        rows = tuple(row for row in self.rows if version in (row.version, "all"))
        return Parity(self.precision, self.limits, self.threshold, rows)


def compare(
    network: ScorePhotos,
    tflite: ScorePhotos,
    photos: Iterable[tuple[str, Pixels]],
    output: Output,
    precision: Precision,
    threshold: float,
) -> Parity:
    """Score every photo, in every version, with both.

    Args:
        network: the Keras network.
        tflite: the exported file.
        photos: names and pixels (H, W, 3) uint8; read one at a time.
        output: what both predict.
        precision: of the file's weights; it decides the limits.
        threshold: a score from which a photo is worth enhancing.
    """
    rows: list[Row] = []
    for name, pixels in photos:
        images = np.stack([STANDARD.apply(degrade(pixels)) for degrade in VERSIONS.values()])
        expected, found = (np.asarray(score(images), np.float64) for score in (network, tflite))
        differences = np.abs(expected - found).max(axis=1)
        expected, found = _score(expected), _score(found)
        differences = np.maximum(differences, np.abs(expected - found))
        rows += [
            Row(name, version, float(a), float(b), float(difference))
            for version, a, b, difference in zip(
                VERSIONS, expected, found, differences, strict=True
            )
        ]
    decides = threshold if output.decides else None
    return Parity(precision, LIMITS[precision], decides, tuple(rows))


def photos_in(folder: Path, rejected: list[str]) -> Iterator[tuple[str, Pixels]]:
    """Names and pixels of the photos under a folder; why one is unreadable goes to ``rejected``.

    Raises:
        OptionError: none can be read.
    """
    readable = 0
    for path in find_photos([folder]):
        try:
            yield str(path), read_photo(path, at_least=STANDARD.at_least).pixels
            readable += 1
        except PhotoError as error:
            rejected.append(str(error))
    if not readable:
        reason = f"none can be read, first {rejected[0]}" if rejected else "it holds none"
        raise OptionError(f"{folder}: to compare on photos some are needed, but {reason}")


def sample_photos() -> Iterator[tuple[str, Pixels]]:
    """Names and pixels of the color photographs that scikit-image and scikit-learn ship."""
    from skimage import data
    from sklearn.datasets import load_sample_images

    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        yield name, getattr(data, name)()
    samples = load_sample_images()
    for path, pixels in zip(samples.filenames, samples.images, strict=True):
        yield Path(path).stem, pixels


def _score(outputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The one number per photo: the output itself, or the mean of a distribution over 1..k."""
    size = outputs.shape[1]
    return outputs[:, 0] if size == 1 else outputs @ np.arange(1.0, size + 1)


def _unchanged(pixels: Pixels) -> Pixels:
    return pixels


def _noise(pixels: Pixels) -> Pixels:
    noise = np.random.default_rng(0).normal(0, 20, pixels.shape)
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


def _blur(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(2)))


def _jpeg(pixels: Pixels) -> Pixels:
    return read_photo(jpeg_bytes(pixels, quality=10, subsampling=2)).pixels


VERSIONS: dict[str, Callable[[Pixels], Pixels]] = {
    "as it is": _unchanged,
    "noise": _noise,
    "blur": _blur,
    "jpeg": _jpeg,
}
"""What is done to each photograph. They are no model of a camera, only ways off the clean path."""
