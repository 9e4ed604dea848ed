"""The facade of trainings is light."""

from __future__ import annotations

import subprocess
import sys

import pytest

import pipelines.training
from trigger.errors import OptionError


def test_options_do_not_load_tensorflow() -> None:
    code = (
        "import sys, pipelines.commands.train, pipelines.commands.finetune\n"
        "import pipelines.commands.train_scorer, pipelines.commands.train_enhancer\n"
        "import pipelines.commands.packaged\n"
        "from pipelines.training import TrainOptions\n"
        "assert not {'tensorflow', 'keras', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_options_out_of_range_are_errors() -> None:
    for wrong in ({"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"seed": -1}):
        with pytest.raises(OptionError, match="it must be"):
            pipelines.training.TrainOptions(**wrong)
    with pytest.raises(OptionError, match="graded-share"):
        pipelines.training.ScorerOptions(graded_share=1.5)
    with pytest.raises(OptionError, match="starts from scratch"):
        pipelines.training.ScorerOptions(architecture="alexnet-rank", init="imagenet")
