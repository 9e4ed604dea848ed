"""Reports of trainings as the records of packaged models hold them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipelines.data.json_records import from_builtins
from pipelines.training.baseline_report import TrainingReport
from pipelines.training.finetuning.report import FineTuningReport
from trigger.errors import DataError

T = TypeVar("T")


@dataclass(frozen=True)
class TriggerQuality:
    """Quality of the packaged trigger.

    Attributes:
        baseline: report of the training on labels.
        finetuned: report of the fine-tuning to ratings.
    """

    baseline: TrainingReport
    finetuned: FineTuningReport


def read_quality(kind: type[T], folder: Path) -> T:
    """Read the report of a training without its options, which name folders of this machine.

    Raises:
        DataError: the report is missing or damaged.
    """
    file = folder / "report.json"
    try:
        report = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read as JSON ({error}); train again") from error
    report.pop("options", None)
    return from_builtins(kind, report, file)
