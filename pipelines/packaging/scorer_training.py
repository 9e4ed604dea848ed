"""Trainings of the packaged scorers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipelines.packaging.steps import Step
from pipelines.training.options import ScorerOptions
from pipelines.training.scorer.train import train_scorer

NIMA_OPTIONS = ScorerOptions(epochs=8, graded_share=0.25, batch_size=16, learning_rate=2e-4)
"""All photos that people rated in every epoch, and a quarter of the others."""
ALEXNET_OPTIONS = ScorerOptions(architecture="alexnet-rank", epochs=8, learning_rate=1e-3)


def scorer_options(defaults: ScorerOptions, data: Path, out: Path, fold: int = 0) -> ScorerOptions:
    """Options of a training on DATA, with the examples that all scorers share.

    Args:
        defaults: architecture and schedule.
        data: folder laid out as in ``pipelines.packaging.rebuild.DATA_LAYOUT``.
        out: folder of the rebuild.
        fold: fifth of the scenes that is held out.
    """
    trunk = data / "weights" / "mobilenet_v2_1.0_notop_dequant.weights.h5"
    return replace(
        defaults,
        live=data / "rated" / "live_challenge",
        clean=(data / "clean",),
        examples=out / "examples",
        init=str(trunk) if defaults.architecture == "nima" else None,
        fold=fold,
    )


def scorer_step(
    options: ScorerOptions, data: Path, folder: Path, *, show_progress: bool = False
) -> Step:
    """Train a scorer into ``folder``."""
    return Step(
        f"train {options.architecture}",
        folder / "report.json",
        lambda: train_scorer(
            data / "rated" / "tid2013", folder, options, show_progress=show_progress
        ),
    )
