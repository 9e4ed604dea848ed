"""The record of a labelling run, LABELS/run.json."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from pipelines.data.labels import RUN_FILE, Recipe, open_labels
from pipelines.data.storage import Folder
from trigger.errors import DataError, OptionError
from trigger.markers import LABELS_KIND

State = Literal["planning", "labelling", "finished"]


@dataclass(frozen=True)
class RunOptions:
    """What a run was asked to do; see ``label_photos``."""

    enhancers: list[str]
    scorer: str
    shard_size: int | None
    enhanced_format: str | None
    photo_seconds: float
    workers: int
    beam: list[str]


@dataclass(frozen=True)
class PlanCounts:
    """How many photos the input holds, and what a run has to do.

    Attributes:
        photos: all of the input.
        to_label: photos that lack a label.
        already: photos with all the labels this run would make.
        duplicates: photos with the content of an earlier one.
        unreadable: rejected photos by reason.
        labels: labels to make, by enhancer.
        shards: number of shards.
    """

    photos: int
    to_label: int
    already: int
    duplicates: int
    unreadable: dict[str, int]
    labels: dict[str, int]
    shards: int


@dataclass(frozen=True)
class Counts:
    """What became of the photos; photos = labelled + already + duplicates + rejected."""

    photos: int
    labelled: int
    already: int
    duplicates: int
    rejected: int


@dataclass(frozen=True)
class DeltaSummary:
    """Deltas of one recipe: their number, mean, median, and the share at or above a threshold."""

    count: int
    mean: float
    median: float
    threshold: float
    share_above: float


@dataclass
class LabelRun:
    """A labelling run, as stored in LABELS/run.json.

    Attributes:
        folder: location of the labels folder.
        photos: the inputs as given.
        recipes: one per enhancer.
        options: what was asked for.
        versions: of the packages that labels depend on, and of Python.
        started: ISO 8601.
        state: "planning" until all photos are listed, then "labelling", then "finished".
        skipped: entries of folders that were skipped, by reason.
        plan: None while planning.
        labelling_since: ISO 8601; None while planning.
        counts: None until finished, as are those below.
        rejects: rejected labels by reason.
        deltas: of all labels in the folder, by enhancer.
        broken_profiles: photos of this run whose ICC profile is broken, taken for sRGB; 0 where
            the engine does not count.
        stages: seconds by stage, over all workers; empty where the engine does not count.
        seconds: wall time.
    """

    folder: str
    photos: list[str]
    recipes: list[Recipe]
    options: RunOptions
    versions: dict[str, str]
    started: str
    state: State = "planning"
    skipped: dict[str, int] = field(default_factory=dict)
    plan: PlanCounts | None = None
    labelling_since: str | None = None
    counts: Counts | None = None
    rejects: dict[str, int] = field(default_factory=dict)
    deltas: dict[str, DeltaSummary] = field(default_factory=dict)
    broken_profiles: int = 0
    stages: dict[str, float] = field(default_factory=dict)
    seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the content of run.json; what is not known yet is null."""
        return {"kind": LABELS_KIND, **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> LabelRun:
        """Return the run that ``to_json`` described; unknown keys are ignored.

        Raises:
            TypeError, ValueError, KeyError, AttributeError: the content is of another form.
        """
        known = {item.name for item in fields(cls)}
        values = {name: value for name, value in content.items() if name in known}
        values["recipes"] = [Recipe(**recipe) for recipe in content["recipes"]]
        values["options"] = RunOptions(**content["options"])
        if content.get("plan"):
            values["plan"] = PlanCounts(**content["plan"])
        if content.get("counts"):
            values["counts"] = Counts(**content["counts"])
        values["deltas"] = {
            enhancer: DeltaSummary(**about)
            for enhancer, about in (content.get("deltas") or {}).items()
        }
        return cls(**values)


def write_run(folder: Folder, run: LabelRun) -> None:
    """Write LABELS/run.json."""
    folder.write(RUN_FILE, (json.dumps(run.to_json(), indent=2) + "\n").encode())


def read_run(folder: str | os.PathLike[str] | Folder) -> LabelRun:
    """Read LABELS/run.json.

    Raises:
        DataError: the folder is no labels folder, or the file does not hold what it should.

    Example:
        >>> read_run("labels").counts.labelled  # doctest: +SKIP
        1024
    """
    place = open_labels(folder)
    try:
        return LabelRun.from_json(json.loads(place.read(RUN_FILE)))
    except (OSError, TypeError, ValueError, KeyError, AttributeError, OptionError) as error:
        raise DataError(
            f"{place.at(RUN_FILE)}: not a record of a labelling run ({error}); run the trigger "
            "label command again, which writes a new one and keeps all labels"
        ) from error
