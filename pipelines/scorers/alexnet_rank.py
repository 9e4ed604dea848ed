"""The ``alexnet-rank`` scorer."""

from __future__ import annotations

from pipelines.scorers.packaged import PackagedScorer


class AlexNetRankScorer(PackagedScorer):
    """AlexNet with a rank-based loss (Kong et al. 2016).

    Predicts mean opinions. Not packaged; ``built_by`` makes it. See
    :mod:`pipelines.training.scorer.alexnet`.
    """

    name = "alexnet-rank"
    built_by = "trigger packaged rebuild alexnet-rank DATA"
