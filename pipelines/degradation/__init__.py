"""Degradation of photos: the model, hard negatives, and folders of both (``folder``)."""

from pipelines.degradation.hard_negatives import HARD_NEGATIVES, hard_negative
from pipelines.degradation.model import KINDS, Factors, Kind, degrade, random_factors

__all__ = [
    "HARD_NEGATIVES",
    "KINDS",
    "Factors",
    "Kind",
    "degrade",
    "hard_negative",
    "random_factors",
]
