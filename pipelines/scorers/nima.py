"""The ``nima`` scorer."""

from __future__ import annotations

from pipelines.scorers.packaged import PackagedScorer


class NimaScorer(PackagedScorer):
    """Neural image assessment (Talebi & Milanfar 2018), trained by ``trigger train-scorer``.

    Predicts distributions of opinions. The model card is ``pipelines/scorers/models/NIMA.md``.
    """

    name = "nima"
    built_by = "trigger packaged rebuild models DATA"
