"""Train the trigger, its head, scorers and enhancers.

TensorFlow is loaded when one of the functions is first used.

Example:
    >>> from pipelines.training import FinetuneOptions, TrainOptions, finetune, train
    >>> report = train("labels", "baseline", TrainOptions(epochs=10))  # doctest: +SKIP
    >>> report.held_out.spearman  # doctest: +SKIP
    0.87
    >>> finetune("baseline/baseline.keras", "ratings.csv", "finetuned")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pipelines.training.options import (
    EnhancerOptions,
    FinetuneOptions,
    ScorerOptions,
    TrainOptions,
)

if TYPE_CHECKING:
    from pipelines.training.baseline import train
    from pipelines.training.enhancers.train import train_enhancer
    from pipelines.training.finetuning.finetune import finetune
    from pipelines.training.scorer.train import train_scorer

__all__ = [
    "EnhancerOptions",
    "FinetuneOptions",
    "ScorerOptions",
    "TrainOptions",
    "finetune",
    "train",
    "train_enhancer",
    "train_scorer",
]

_MODULES = {
    "train": "pipelines.training.baseline",
    "finetune": "pipelines.training.finetuning.finetune",
    "train_scorer": "pipelines.training.scorer.train",
    "train_enhancer": "pipelines.training.enhancers.train",
}


def __getattr__(name: str) -> Any:
    """Import a training function when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
