"""Facades export their names, and importing stays light."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

HEAVY = {
    *("tensorflow", "keras", "apache_beam", "pandas", "pyarrow", "scipy", "sklearn", "cv2"),
    *("matplotlib", "jinja2", "ai_edge_litert"),
}
FACADES = {
    "trigger": {
        *("Assessment", "Model", "Photo", "RejectedPhoto", "Trigger", "load_model", "read_photo"),
        *("should_enhance", "TriggerError", "PhotoError", "ModelError", "OptionError"),
    },
    "trigger.photo": {"find_photos", "read_photo"},
    "export": {"ExportReport", "export_model", "read_metadata"},
    "annotation": {"make_app", "make_pairs", "serve", "summarize_ratings"},
    "pipelines.data": {"Recipe", "is_held_out", "origins_of", "read_labels"},
    "pipelines.degradation": {"Factors", "degrade"},
    "pipelines.enhancers": {"enhance_photo", "load_enhancer"},
    "pipelines.evaluation": {"Target", "evaluate"},
    "pipelines.labelling": {"label_photos", "label_status"},
    "pipelines.ratings": {"aggregate", "rated_photos"},
    "pipelines.scorers": {"load_scorer", "mean_score"},
    "pipelines.training": {"finetune", "train", "train_enhancer", "train_scorer"},
}


@pytest.mark.parametrize("name", FACADES)
def test_facades_export_what_they_name(name: str) -> None:
    facade = importlib.import_module(name)
    assert FACADES[name] <= set(facade.__all__)
    for member in facade.__all__:
        assert getattr(facade, member) is not None
    with pytest.raises(AttributeError):
        facade.no_such_member  # noqa: B018


@pytest.mark.parametrize(
    "statement",
    [
        "import trigger, trigger.cli.app",
        "import export, export.commands.export",
        "import trigger.commands.score, trigger.commands.rank",
    ],
)
def test_imports_stay_light(statement: str) -> None:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())
