"""Label photos: plan what is missing, let an engine label it, check the files.

The driver plans (which photos lack a label), lets an engine label the shards, and then trusts only
the files on disk: every planned label is there or rejected, and photos = labelled + labelled before
+ duplicates + rejected, or it is an error.
"""

from __future__ import annotations

import logging
import os
import platform
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pipelines.data.enhanced_copies import EnhancedFormat
from pipelines.data.label_files import read_shard, read_table
from pipelines.data.label_run import (
    Counts,
    DeltaSummary,
    LabelRun,
    PlanCounts,
    RunOptions,
    write_run,
)
from pipelines.data.label_schema import Recipe
from pipelines.data.labels import is_labels_folder
from pipelines.data.lock import exclusive
from pipelines.data.rejects import read_shard_rejects
from pipelines.data.storage import Folder
from pipelines.enhancers import DEFAULT_ENHANCER
from pipelines.labelling.inputs import PhotoInputs
from pipelines.labelling.labeller import STAGES, Job, Labeller, Models, load_models, recipes_of
from pipelines.labelling.plan import Plan, make_plan, plan_file, read_plan
from pipelines.labelling.progress import shards_watched
from pipelines.labelling.summary import describe_deltas, draw_deltas
from pipelines.scorers import DEFAULT_SCORER
from trigger.assessment import DEFAULT_THRESHOLD
from trigger.console.progress import progress
from trigger.errors import OptionError
from trigger.files import make_folder

PACKAGES = ("trigger", "apache-beam", "numpy", "pillow", "opencv-python-headless", "ai-edge-litert")
DEFAULT_PHOTO_SECONDS = 600.0
MAX_PHOTO_SECONDS = 7 * 24 * 3600


def label_photos(
    photos: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    enhancers: Sequence[str] = (DEFAULT_ENHANCER,),
    scorer: str = DEFAULT_SCORER,
    shard_size: int | None = None,
    enhanced_format: EnhancedFormat | None = "png",
    photo_seconds: float = DEFAULT_PHOTO_SECONDS,
    workers: int = 1,
    runner: str | None = None,
    beam_flags: Sequence[str] = (),
    dry_run: bool = False,
    show_progress: bool = False,
    models: Models | None = None,
) -> LabelRun:
    """Label photos into a folder; labels that it already holds are not made again.

    Args:
        photos: files, folders, patterns, URLs and manifests; see ``PhotoInputs``.
        folder: where labels go: a new or empty folder, or one of an earlier run; may be a URL.
        enhancers: names for ``load_enhancer``; every photo gets a label for each.
        scorer: name or model file for ``load_scorer``.
        shard_size: photos per shard; by default up to 64, fewer where a worker would otherwise
            get less than eight shards.
        enhanced_format: how enhanced photos are stored; None: not at all.
        photo_seconds: how long reading a photo, or one enhancer with scoring, may take.
        workers: processes on this machine; where a runner is named, how many it has.
        runner: None: this machine; "dask", or what Beam calls it, such as "FlinkRunner".
        beam_flags: options for Beam, such as the address of a cluster.
        dry_run: only count what would be done; nothing is written.
        show_progress: draw a progress bar on stderr if that is a terminal.
        models: enhancers and scorer, where they are loaded already.

    Returns:
        What LABELS/run.json holds; of a dry run what it would hold before the first label.

    Raises:
        OptionError: an option is out of its range, or the folder is not for labels.
        LockedError: another process is labelling into the folder.
        DataError: there are no photos, or the folder cannot be written.
        EngineError: the engine failed or lost photos. Finished shards are kept.

    Example:
        >>> run = label_photos(["~/Photos"], "labels", workers=4)  # doctest: +SKIP
        >>> run.counts.labelled, run.deltas["restorer"].mean  # doctest: +SKIP
        (1024, 0.31)
    """
    clock = time.perf_counter()
    with _beam_logs_muted():
        from pipelines.labelling import beam as engine  # Beam takes a second to import

        flags = [*engine.runner_flags(runner), *beam_flags]
        options = RunOptions(
            list(enhancers), scorer, shard_size, enhanced_format, photo_seconds, workers, flags
        )
        _check_options(options)
        engine.beam_options(flags)
        models = models or load_models(enhancers, scorer)
        labelling = _Labelling(photos, Folder(folder), options, models, show_progress)
        if dry_run:
            labelling.make_plan(dry=True)
            return labelling.run
        if labelling.out.is_local:
            make_folder(Path(labelling.out.location))
        with exclusive(labelling.out):
            labelling.tidy_last_run()
            plan = labelling.make_plan(dry=False)
            job = Job(
                labelling.out.location,
                tuple(enhancers),
                scorer,
                recipes_of(*models),
                enhanced_format,
                photo_seconds,
            )
            counters: dict[str, int] = {}
            if plan.shards:
                with shards_watched(labelling.out, plan.shards, show_progress):
                    labeller = Labeller(job, models)
                    counters = engine.run_shards(plan.shards, labeller, workers, flags)
            if lost := labelling.count(plan):
                raise engine.EngineError(f"{lost}; run the same command again")
            labelling.finish(plan, counters, round(time.perf_counter() - clock, 2))
    return labelling.run


def _check_options(options: RunOptions) -> None:
    if options.workers < 1:
        raise OptionError(f"workers is {options.workers}; it must be 1 or more")
    if options.shard_size is not None and options.shard_size < 1:
        raise OptionError(f"shard size is {options.shard_size}; it must be 1 or more photos")
    if not 0 < options.photo_seconds <= MAX_PHOTO_SECONDS:
        raise OptionError(
            f"photo seconds is {options.photo_seconds}; it must be more than 0 and at most "
            f"{MAX_PHOTO_SECONDS}"
        )
    names = options.enhancers
    if not names or len(set(names)) < len(names):
        raise OptionError(f"enhancers are {names}; name each once, and at least one")


class _Labelling:
    """The steps of a run around the engine; keeps its record up to date."""

    def __init__(
        self,
        photos: Sequence[str | os.PathLike[str]],
        out: Folder,
        options: RunOptions,
        models: Models,
        show_progress: bool,
    ) -> None:
        _check_folder(out)
        self.out = out
        self._show_progress = show_progress
        self._inputs = PhotoInputs(photos, out.location)
        self._locations = iter(self._inputs)  # begun here: a wrong input leaves LABELS unchanged
        self.run = LabelRun(
            folder=out.location,
            photos=[os.fspath(path) for path in photos],
            recipes=list(recipes_of(*models)),
            options=options,
            versions={name: version(name) for name in PACKAGES}
            | {"python": platform.python_version()},
            started=_now(),
        )

    def tidy_last_run(self) -> None:
        """Remove what is out of date: every reject is tried again, every shard planned again."""
        if self.out.names("plan", ".json"):  # the last run did not finish
            self.out.delete_temporaries()
        write_run(self.out, self.run)
        for part in ("rejects", "plan"):
            self.out.delete(f"{part}/{name}" for name in self.out.names(part))

    def make_plan(self, *, dry: bool) -> Plan:
        """Identify all photos and freeze what is missing into shards."""
        run, options = self.run, self.run.options
        bar = progress(self._locations, "listing", shown=self._show_progress)
        plan = make_plan(bar, run.recipes, self.out, options.shard_size, options.workers, dry=dry)
        run.plan = PlanCounts(
            photos=plan.photos,
            to_label=plan.todo_photos,
            already=plan.already,
            duplicates=plan.duplicates,
            unreadable=dict(sorted(plan.unreadable.items())),
            labels={recipe.enhancer: plan.todo[recipe.enhancer] for recipe in run.recipes},
            shards=len(plan.shards),
        )
        run.skipped = dict(sorted(self._inputs.skipped.items()))
        if not dry:
            run.state, run.labelling_since = "labelling", _now()
            write_run(self.out, run)
        return plan

    def count(self, plan: Plan) -> str:
        """Compare the files with the plan and count; returns what is wrong, "" if nothing is."""
        result = count_shards(self.out, plan)
        if result.lost:
            return (
                f"the engine reported success, but {len(result.lost)} of {len(plan.shards)} shards "
                f"are missing or incomplete in {self.out} ({result.lost[0]})"
            )
        counts = Counts(
            photos=plan.photos,
            labelled=plan.todo_photos - result.rejected,
            already=plan.already,
            duplicates=plan.duplicates,
            rejected=plan.unreadable.total() + result.rejected,
        )
        if plan.photos != sum(asdict(counts).values()) - plan.photos:
            return f"the photos of {self.out} do not add up: {asdict(counts)}"
        self.run.counts = counts
        self.run.rejects = dict(sorted((plan.unreadable + result.reasons).items()))
        return ""

    def finish(self, plan: Plan, counters: Mapping[str, int], seconds: float) -> None:
        """Describe all labels of the run's recipes and complete the record."""
        run = self.run
        run.deltas = _describe_labels(self.out, run.recipes)
        run.stages = {
            stage: round(counters[f"{stage}_microseconds"] / 1e6, 3)
            for stage in STAGES
            if f"{stage}_microseconds" in counters
        }
        run.broken_profiles = counters.get("broken_profiles", 0)
        run.state, run.seconds = "finished", seconds
        write_run(self.out, run)
        self.out.delete(plan_file(shard) for shard in plan.shards)


@dataclass(frozen=True)
class ShardCounts:
    """What the files of all planned shards hold: rejected photos, reasons, incomplete shards."""

    rejected: int
    reasons: Counter[str]
    lost: list[str]


def count_shards(out: Folder, plan: Plan) -> ShardCounts:
    """Compare the labels and rejects of each shard with its plan."""
    rejected, reasons, lost = 0, Counter[str](), []
    written = set(out.names("labels", ".parquet"))
    for name in plan.shards:
        shard = read_plan(out, name)
        planned = {(photo, enhancer) for photo, _ in shard.photos for enhancer in shard.enhancers}
        labels = read_shard(out, name) if f"{name}.parquet" in written else []
        rejects = read_shard_rejects(out, name)
        missed = [
            (reject["photo"], enhancer)
            for reject in rejects
            for enhancer in ([reject["enhancer"]] if reject["enhancer"] else shard.enhancers)
        ]
        if len(labels) + len(missed) != len(planned) or planned != {*labels, *missed}:
            lost.append(name)
        rejected += len({reject["photo"] for reject in rejects})
        reasons.update(reject["reason"] for reject in rejects)
    return ShardCounts(rejected, reasons, lost)


def _describe_labels(out: Folder, recipes: Sequence[Recipe]) -> dict[str, DeltaSummary]:
    """Describe and draw all labels of these recipes."""
    values = {
        recipe: read_table(out, ["delta"], vars(recipe))["delta"].to_numpy() for recipe in recipes
    }
    values = {recipe: deltas for recipe, deltas in values.items() if len(deltas)}
    if values:
        out.write("deltas.png", draw_deltas(values, DEFAULT_THRESHOLD))
    return {
        recipe.enhancer: describe_deltas(deltas, DEFAULT_THRESHOLD)
        for recipe, deltas in values.items()
    }


def _check_folder(out: Folder) -> None:
    if out.is_local and Path(out.location).exists() and not Path(out.location).is_dir():
        raise OptionError(f"--out {out} is a file; name a new folder")
    foreign = out.names("")
    if foreign and not is_labels_folder(out):
        raise OptionError(
            f"--out {out} is not a labels folder and not empty (it holds {foreign[0]!r}); "
            "name a new or empty folder, or one that trigger label wrote"
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _beam_logs_muted() -> Iterator[None]:
    """Mute Beam, which logs at length what its errors repeat; other logs stay as they are."""
    root, beam = logging.getLogger(), logging.getLogger("apache_beam")
    handler = logging.NullHandler()
    level = beam.level
    root.addHandler(handler)  # or Beam would add one that writes to the terminal
    beam.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        beam.setLevel(level)
        root.removeHandler(handler)
