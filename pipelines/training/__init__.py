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

from typing import TYPE_CHECKING

from pipelines.training.options import (
    EnhancerOptions,
    FinetuneOptions,
    ScorerOptions,
    TrainOptions,
)
from trigger.facade import lazy_exports

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

# Commands show their options without loading TensorFlow.
__getattr__ = lazy_exports(
    __name__,
    {
        "finetune": "finetuning.finetune",
        "train": "baseline",
        "train_enhancer": "enhancers.train",
        "train_scorer": "scorer.train",
    },
)
