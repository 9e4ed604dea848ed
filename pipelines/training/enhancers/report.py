"""The report of an enhancer network: its size, its training, its gain."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from pipelines.training.options import EnhancerNetwork


@dataclass(frozen=True)
class Stage:
    """One training; later ones start from the weights of those before.

    Attributes:
        patches: number of patches seen.
        faults: their degradations, in words.
        repaired_crops: number of crops that were enhanced in advance; None: not enhanced.
        learning_rate: at its peak.
        precision: of the arithmetic.
    """

    patches: int
    faults: str
    repaired_crops: int | None
    learning_rate: float
    precision: str


@dataclass(frozen=True)
class PhotoCounts:
    """How many photos patches were cut from, and how many were held out."""

    train: int
    held_out: int


@dataclass(frozen=True, kw_only=True)
class EnhancerReport:
    """What ``report.json`` holds.

    Attributes:
        network: its name.
        quality: the only JPEG quality it was trained on; None: many faults.
        parameters: number of parameters.
        multiply_adds_per_pixel: of the output.
        photos: their numbers.
        patches: number of patches seen in all stages.
        patch_side: their side in pixels.
        stages: trainings in order; unset in records of early versions.
        repaired_by: version of the enhancement that comes before the network; None: none.
        held_out_gain_db: mean gain of PSNR on held-out patches.
    """

    network: EnhancerNetwork
    quality: int | None
    parameters: int
    multiply_adds_per_pixel: float
    photos: PhotoCounts
    patches: int
    patch_side: int
    stages: list[Stage] | UnsetType = UNSET
    repaired_by: str | UnsetType | None = UNSET
    held_out_gain_db: float
