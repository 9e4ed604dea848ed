"""Packaged records, model cards and the cards inside model files agree."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import trigger
from pipelines.degradation.hard_negatives import hard_negative
from pipelines.enhancers.learned.colorize import MODELS as ENHANCERS
from pipelines.scorers.packaged import MODELS as SCORERS
from trigger import should_enhance

TRIGGER = Path(trigger.__file__).parent / "models"
PACKAGED = [(TRIGGER, "trigger", "MODEL_CARD.md"), (SCORERS, "nima", "NIMA.md")]


@pytest.mark.parametrize(("folder", "name", "card"), PACKAGED, ids=["trigger", "nima"])
def test_record_and_card_are_those_of_the_model_file(folder: Path, name: str, card: str) -> None:
    record = json.loads((folder / f"{name}.json").read_text())
    file = folder / record["file"]
    assert hashlib.sha256(file.read_bytes()).hexdigest() == record["sha256"]
    with zipfile.ZipFile(file) as inside:
        assert inside.read("MODEL_CARD.md") == (folder / card).read_bytes()


@pytest.mark.parametrize("name", ["colorize", "deblocker", "restorer"])
def test_enhancers_are_the_networks_of_their_records_and_small(name: str) -> None:
    record = json.loads((ENHANCERS / f"{name}.json").read_text())
    file = ENHANCERS / record["file"]
    assert hashlib.sha256(file.read_bytes()).hexdigest() == record["sha256"]
    assert file.stat().st_size <= 4e6
    parameters = record.get("training", record)["parameters"]
    assert f"{parameters:,} parameters" in (ENHANCERS / f"{name}.md").read_text()


def test_the_trigger_card_names_what_its_labels_were_made_with() -> None:
    labels = json.loads((TRIGGER / "trigger.json").read_text())["quality"]["baseline"]["labels"]
    card = (TRIGGER / "MODEL_CARD.md").read_text()
    for part in ("enhancer", "scorer"):
        assert f"{part} `{labels[part]}` {labels[f'{part}_version']}" in card


def test_the_packaged_trigger_does_not_alert_where_nothing_is(
    photographs: dict[str, npt.NDArray[np.uint8]],
) -> None:
    pictures = [np.full((300, 400, 3), level, np.uint8) for level in (0, 128, 255)]
    for number, photo in enumerate(photographs.values()):
        rng = np.random.default_rng(number)
        pictures += [hard_negative("plain", photo, rng), hard_negative("text", photo, rng)]
    alerts = [should_enhance(picture) for picture in pictures]
    assert sum(alerts) <= 1, alerts
