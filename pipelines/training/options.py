"""Options of the trainings; importing them does not load TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.data.splits import FOLDS
from pipelines.degradation.model import BEST_QUALITY
from pipelines.evaluation.thresholds import Target
from trigger.errors import OptionError

Architecture = Literal["nima", "alexnet-rank"]
EnhancerNetwork = Literal["arcnn", "fast-arcnn", "blockcnn", "deblocker", "restorer"]
Precision = Literal["float32", "mixed_bfloat16"]


@dataclass(frozen=True, kw_only=True)
class LoopOptions:
    """What all trainings by gradient descent have in common.

    Attributes:
        epochs: passes over the training data.
        batch_size: examples per step.
        learning_rate: peak of the cosine schedule.
        seed: of everything random, 0 to 2**32 - 1.

    Raises:
        OptionError: a value is out of its range.
    """

    epochs: int = 10
    batch_size: int = 24
    learning_rate: float = 5e-4
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in (("epochs", self.epochs), ("batch size", self.batch_size)):
            if value < 1:
                raise OptionError(f"{name} is {value}; it must be at least 1")
        if not 0 < self.learning_rate < float("inf"):
            raise OptionError(f"learning rate is {self.learning_rate}; it must be above 0")
        if not 0 <= self.seed < 2**32:
            raise OptionError(f"seed is {self.seed}; it must be from 0 to {2**32 - 1}")


@dataclass(frozen=True, kw_only=True)
class TrainOptions(LoopOptions):
    """Options of :func:`pipelines.training.train`.

    Attributes:
        enhancer: use only labels of this enhancer, "NAME" or "NAME VERSION"; needed where the
            folder holds labels of several.
        scorer: the same for the scorer.
        init: starting weights: ``packaged``, ``imagenet`` (downloaded by Keras), a MobileNetV2
            ``.weights.h5`` file, or a ``.keras`` file of a trigger, whose head is kept too.
        average: save the mean of the weights before and after training, under a head fitted to it.

    Raises:
        OptionError: a value is out of its range, or ``average`` with weights of another task.
    """

    enhancer: str | None = None
    scorer: str | None = None
    init: str = "packaged"
    average: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.average and (self.init == "imagenet" or self.init.endswith(".weights.h5")):
            raise OptionError(
                "--average needs the weights of a trigger as --init, 'packaged' or a .keras file, "
                f"got {self.init!r}: the mean with weights for another task is of no use"
            )


@dataclass(frozen=True, kw_only=True)
class FinetuneOptions:
    """Options of :func:`pipelines.training.finetune`.

    Attributes:
        target: what the threshold is to reach; None: the default threshold.
        force: accept ratings of another enhancer than the one that made the model's labels.
    """

    target: Target | None = None
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class ScorerOptions(LoopOptions):
    """Options of :func:`pipelines.training.train_scorer`.

    Attributes:
        live: folder of LIVE Challenge; None: do without.
        clean: flawless photos, or folders of them.
        examples: folder of examples, to share them between trainings; None: OUT/examples.
        graded_share: share of the photos that no person rated that an epoch shows, above 0 to 1.
        architecture: network and loss.
        init: starting weights of nima: ``imagenet``, the ``.weights.h5`` file of a MobileNetV2 of
            alpha 1.0, or a nima ``.keras`` file, whose head is kept too. None: ``imagenet``.
        fold: fifth of the scenes that is held out, 0..4; packaged scorers have not seen fold 0.

    Raises:
        OptionError: a value is out of its range.
    """

    epochs: int = 8
    live: Path | None = None
    clean: tuple[Path, ...] = ()
    examples: Path | None = None
    graded_share: float = 1.0
    architecture: Architecture = "nima"
    init: str | None = None
    fold: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.graded_share <= 1:
            raise OptionError(
                f"--graded-share must be above 0 and at most 1, got {self.graded_share}"
            )
        if self.fold not in range(FOLDS):
            raise OptionError(f"fold is {self.fold}; it must be from 0 to {FOLDS - 1}")
        if self.init and self.architecture != "nima":
            raise OptionError(
                f"{self.architecture} starts from scratch; leave out --init {self.init}"
            )


@dataclass(frozen=True, kw_only=True)
class EnhancerOptions(LoopOptions):
    """Options of :func:`pipelines.training.train_enhancer`.

    Attributes:
        quality: the only JPEG quality to learn; arcnn, fast-arcnn and blockcnn need it, the
            deblocker learns all qualities without it, the restorer takes none.
        precision: of the arithmetic; bfloat16 takes about half the time on processors that have it.
        steps: batches per epoch.
        init: ``.weights.h5`` file of the same network to continue from; None: start fresh.

    Raises:
        OptionError: a value is out of its range.
    """

    epochs: int = 40
    batch_size: int = 16
    learning_rate: float = 1e-3
    quality: int | None = None
    precision: Precision = "float32"
    steps: int = 250
    init: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 1:
            raise OptionError(f"steps is {self.steps}; it must be at least 1")
        if self.quality is not None and not 1 <= self.quality <= BEST_QUALITY:
            raise OptionError(f"--quality is {self.quality}; it must be from 1 to {BEST_QUALITY}")
