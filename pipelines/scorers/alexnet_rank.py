"""The ``alexnet-rank`` scorer."""

from __future__ import annotations

from pipelines.scorers.packaged import PackagedScorer


class AlexNetRankScorer(PackagedScorer):
    """AlexNet with a rank-based loss (Kong et al. 2016); see :mod:`pipelines.training.scorer.alexnet`.

    Predicts mean opinions. The model card is ``pipelines/scorers/models/alexnet-rank.md``.
    """

    name = "alexnet-rank"
    built_by = "trigger packaged rebuild alexnet-rank DATA"
