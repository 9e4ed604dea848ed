"""``trigger label``: score photos, enhance them, score again, and keep the difference.

The driver plans (which photos lack a label), lets an engine label the shards, and then believes
only the files: every planned label is there or rejected, and photos = labelled + labelled before +
duplicates + rejected, or it is an error.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pipelines.data.enhanced_copies import ENHANCED_FORMATS, EnhancedFormat
from pipelines.data.labels import (
    KIND,
    RUN_FILE,
    Recipe,
    read_rejects,
    read_run,
    read_shard,
    read_shard_rejects,
    read_table,
)
from pipelines.data.lock import exclusive
from pipelines.data.storage import Folder
from pipelines.enhancers import DEFAULT_ENHANCER, ENHANCER_SPECS
from pipelines.labelling.inputs import Listing
from pipelines.labelling.labeller import STAGES, Job, Labeller, Models, load_models, recipes_of
from pipelines.labelling.plan import LARGEST_SHARD, Plan, make_plan, photos_in, plan_file, read_plan
from pipelines.labelling.summary import describe_deltas, draw_deltas, plan_text, summary_text
from pipelines.scorers import DEFAULT_SCORER
from trigger.assessment import DEFAULT_THRESHOLD
from trigger.console.quiet import native_messages_muted
from trigger.errors import DataError, OptionError
from trigger.files import make_folder

PACKAGES = ("trigger", "apache-beam", "numpy", "pillow", "opencv-python-headless", "ai-edge-litert")
SECONDS_PER_STEP = 600.0
MOST_SECONDS = 7 * 24 * 3600


def label_photos(
    photos: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    enhancers: Sequence[str] = (DEFAULT_ENHANCER,),
    scorer: str = DEFAULT_SCORER,
    shard_size: int | None = None,
    enhanced_format: EnhancedFormat | None = "png",
    photo_seconds: float = SECONDS_PER_STEP,
    workers: int = 1,
    runner: str | None = None,
    beam_flags: Sequence[str] = (),
    dry_run: bool = False,
    show_progress: bool = False,
    models: Models | None = None,
) -> dict[str, Any]:
    """Label photos into a folder; labels that it already holds are not made again.

    Args:
        photos: files, folders, patterns, URLs and manifests; see ``Listing``.
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
        dry_run: only say what would be done; nothing is written.
        show_progress: draw a progress bar on stderr if that is a terminal.
        models: enhancers and scorer, where they are loaded already.

    Returns:
        What LABELS/run.json holds; of a dry run what it would hold before the first label.

    Raises:
        OptionError: an option is out of its range, or the folder is not for labels.
        LockedError: another process is labelling into the folder.
        DataError: there are no photos, or the folder cannot be written.
        EngineError: the engine failed or lost photos. Finished shards are kept.
    """
    if workers < 1:
        raise OptionError(f"workers is {workers}; it must be 1 or more")
    if shard_size is not None and shard_size < 1:
        raise OptionError(f"shard size is {shard_size}; it must be 1 or more photos")
    if not 0 < photo_seconds <= MOST_SECONDS:
        raise OptionError(
            f"photo seconds is {photo_seconds}; it must be more than 0 and at most {MOST_SECONDS}"
        )
    if not enhancers or len(set(enhancers)) < len(enhancers):
        raise OptionError(f"enhancers are {list(enhancers)}; name each once, and at least one")
    started, clock = datetime.now(UTC), time.perf_counter()
    out = Folder(folder)
    with _quiet_logging():
        from pipelines.labelling import beam as engine

        flags = [*engine.runner_flags(runner), *beam_flags]
        engine.beam_options(flags)
        models = models or load_models(enhancers, scorer)
        recipes = recipes_of(*models)
        _check_folder(out)
        listing = Listing(photos, out.location)
        locations = iter(listing)  # begun here: a wrong input leaves LABELS as it is
        run: dict[str, Any] = {
            "kind": KIND,
            "state": "planning",
            "started": started.isoformat(timespec="seconds"),
            "folder": out.location,
            "photos": [os.fspath(path) for path in photos],
            "recipes": [vars(recipe) for recipe in recipes],
            "options": {
                "enhancers": list(enhancers),
                "scorer": scorer,
                "shard_size": shard_size,
                "enhanced_format": enhanced_format,
                "photo_seconds": photo_seconds,
                "workers": workers,
                "beam": flags,
            },
            "versions": {name: version(name) for name in PACKAGES}
            | {"python": platform.python_version()},
        }
        if dry_run:
            _, planned = _plan(
                listing, locations, out, recipes, run["options"], show_progress, dry=True
            )
            return run | planned
        _make_folder(out)
        with exclusive(out):
            _write_run(out, run)
            _forget_last_run(out)
            plan, planned = _plan(
                listing, locations, out, recipes, run["options"], show_progress, dry=False
            )
            begin = datetime.now(UTC).isoformat(timespec="seconds")
            run |= {"state": "labelling", **planned, "labelling_since": begin}
            _write_run(out, run)
            job = Job(
                out.location, tuple(enhancers), scorer, recipes, enhanced_format, photo_seconds
            )
            counters: dict[str, int] = {}
            if plan.shards:
                with _progress(out, plan.shards, show_progress):
                    labeller = Labeller(job, models)
                    counters = engine.run_shards(plan.shards, labeller, workers, flags)
            run |= _verify(out, plan, engine.EngineError)
            run["deltas"] = _deltas(out, recipes)
            run["stages"] = {
                stage: round(counters[f"{stage}_microseconds"] / 1e6, 3)
                for stage in STAGES
                if f"{stage}_microseconds" in counters
            }
            run |= {"state": "finished", "seconds": round(time.perf_counter() - clock, 2)}
            _write_run(out, run)
            out.delete(plan_file(shard) for shard in plan.shards)
    return run


def _plan(
    listing: Listing,
    locations: Iterator[str],
    out: Folder,
    recipes: Sequence[Recipe],
    options: dict[str, Any],
    show_progress: bool,
    *,
    dry: bool,
) -> tuple[Plan, dict[str, Any]]:
    """Make the plan of what the listing gives; also the part of run.json that tells of it."""
    bar = tqdm(locations, "listing", unit=" photos", disable=None if show_progress else True)
    plan = make_plan(bar, recipes, out, options["shard_size"], options["workers"], dry=dry)
    return plan, {
        "plan": {
            "photos": plan.photos,
            "to_label": plan.todo_photos,
            "already": plan.already,
            "duplicates": plan.duplicates,
            "unreadable": dict(sorted(plan.unreadable.items())),
            "labels": {recipe.enhancer: plan.todo[recipe.enhancer] for recipe in recipes},
            "shards": len(plan.shards),
        },
        "skipped": dict(sorted(listing.skipped.items())),
    }


def _verify(out: Folder, plan: Plan, failure: type[Exception]) -> dict[str, Any]:
    """Hold the files against the plan; returns the counts for run.json."""
    rejected, reasons, lost = 0, Counter(plan.unreadable), []
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
    if lost:
        raise failure(
            f"the engine said it was done, but {len(lost)} of {len(plan.shards)} shards are "
            f"missing or incomplete in {out} ({lost[0]}); run the same command again"
        )
    counts = {
        "photos": plan.photos,
        "labelled": plan.todo_photos - rejected,
        "already": plan.already,
        "duplicates": plan.duplicates,
        "rejected": plan.unreadable.total() + rejected,
    }
    if plan.photos != sum(counts.values()) - plan.photos:
        raise failure(f"the photos of {out} do not add up: {counts}; run the same command again")
    return {"counts": counts, "rejects": dict(sorted(reasons.items()))}


def _deltas(out: Folder, recipes: Sequence[Recipe]) -> dict[str, Any]:
    """Describe and draw all labels of these recipes; returns the part for run.json."""
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
    if foreign and read_run(out) is None:
        raise OptionError(
            f"--out {out} is not a labels folder and not empty (it holds {foreign[0]!r}); "
            "name a new or empty folder, or one that trigger label wrote"
        )


def _make_folder(out: Folder) -> None:
    if out.is_local:
        make_folder(Path(out.location))


def _forget_last_run(out: Folder) -> None:
    """Every reject is tried again and every shard planned anew, so what there is is out of date."""
    out.delete(f"{part}/{name}" for part in ("rejects", "plan") for name in out.names(part))


def _write_run(out: Folder, run: dict[str, Any]) -> None:
    out.write(RUN_FILE, (json.dumps(run, indent=2) + "\n").encode())


@contextmanager
def _quiet_logging() -> Iterator[None]:
    """Beam logs at length what its errors say again; other logs of the program go on."""
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


@contextmanager
def _progress(out: Folder, shards: Sequence[str], show: bool) -> Iterator[None]:
    """Watch the labels folder from a thread and draw how many photos are done."""
    waiting, ended = set(shards), threading.Event()
    pause = 0.5 if out.is_local else 20.0  # every look at an object store costs

    def watch() -> None:
        finished = False
        while not finished:
            finished = ended.wait(pause)
            try:
                names = {name.removesuffix(".parquet") for name in out.names("labels", ".parquet")}
            except DataError:  # the run itself will come upon it and say so
                continue
            bar.update(sum(photos_in(name) for name in waiting & names))
            waiting.difference_update(names)

    total = sum(map(photos_in, shards))
    with tqdm(total=total, desc="labelling", unit=" photos", disable=None if show else True) as bar:
        if bar.disable:
            yield
            return
        watcher = threading.Thread(target=watch, name="progress", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options of ``trigger label``."""
    parser.description = (
        "Label photos: score each, enhance it, score it again; delta is the difference. A rerun "
        "labels only what is missing. Photos that cannot be read are recorded with reasons."
    )
    parser.epilog = (
        "exit codes: 0 done, what was rejected is listed in LABELS/rejects; 1 nothing could be "
        "labelled, or the job failed; 2 wrong usage\n"
        "example: trigger label ~/Photos --out labels --workers 4\n"
        "options for Beam come after --, as in: trigger label ~/Photos --out labels "
        "--runner FlinkRunner -- --flink_master=host:8081"
    )
    parser.add_argument(
        "photos",
        nargs="+",
        metavar="PHOTOS",
        help="photos, folders, patterns, URLs Beam knows, or manifests (.txt; .csv and .parquet "
        'with a column "path")',
    )
    parser.add_argument(
        "--out", required=True, metavar="LABELS", help="labels folder or URL; made if need be"
    )
    parser.add_argument(
        "--enhancer",
        action="append",
        dest="enhancers",
        metavar="NAME|PATH",
        help=f"{ENHANCER_SPECS}; may be given several times, for a label each "
        f"(default: {DEFAULT_ENHANCER})",
    )
    parser.add_argument(
        "--scorer",
        default=DEFAULT_SCORER,
        metavar="NAME",
        help="a name, or a .tflite file, SavedModel directory or TF-Hub handle that gives ten "
        "shares of opinions or their mean; PATH#size=S,range=LOW..HIGH (default: %(default)s)",
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes (default: %(default)s)"
    )
    parser.add_argument(
        "--runner",
        metavar="NAME",
        help="another engine: dask, or what Beam calls it (PortableRunner, FlinkRunner, "
        "SparkRunner, DataflowRunner); --workers then says how many workers it has",
    )
    parser.add_argument(
        "--dask-address", metavar="URL", help="scheduler for --runner dask, as in tcp://host:8786"
    )
    parser.add_argument(
        "--shard-size",
        type=int,
        metavar="N",
        help=f"photos per shard, lost if the job is killed (default: up to {LARGEST_SHARD})",
    )
    stored = parser.add_mutually_exclusive_group()
    stored.add_argument(
        "--enhanced-format",
        choices=list(ENHANCED_FORMATS),
        default="png",
        help="how enhanced photos are stored (default: %(default)s, exactly what was scored)",
    )
    stored.add_argument(
        "--no-enhanced",
        dest="enhanced_format",
        action="store_const",
        const=None,
        help="do not store enhanced photos",
    )
    parser.add_argument(
        "--photo-seconds",
        type=float,
        default=SECONDS_PER_STEP,
        metavar="S",
        help="how long reading a photo or enhancing it once may take, before it is rejected "
        "(default: %(default)g)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only say what would be done; write nothing"
    )
    parser.add_argument("--json", action="store_true", help="print the run summary as JSON")


def run(args: argparse.Namespace) -> int:
    """Run ``trigger label``.

    Raises:
        DataError: no photo has a label in the end.
    """
    enhancers = tuple(args.enhancers or (DEFAULT_ENHANCER,))
    with native_messages_muted(), _quiet_logging():  # label_photos then finds all of it imported
        models = load_models(enhancers, args.scorer)
    if args.dask_address and args.runner != "dask":
        raise OptionError("--dask-address is for --runner dask; add that")
    dask_flags = [f"--dask_client_address={args.dask_address}"] if args.dask_address else []
    result = label_photos(
        args.photos,
        args.out,
        enhancers=enhancers,
        scorer=args.scorer,
        shard_size=args.shard_size,
        enhanced_format=args.enhanced_format,
        photo_seconds=args.photo_seconds,
        workers=args.workers,
        runner=args.runner,
        beam_flags=[*dask_flags, *args.passed_on],
        dry_run=args.dry_run,
        show_progress=not args.json,
        models=models,
    )
    describe = plan_text if args.dry_run else summary_text
    sys.stdout.write((json.dumps(result, indent=2) if args.json else describe(result)) + "\n")
    if args.dry_run:
        return 0
    counts = result["counts"]
    if not counts["labelled"] + counts["already"] and counts["rejected"]:
        rejects = read_rejects(result["folder"])
        of_all = int((rejects["enhancer"] == "").sum())
        missing = of_all * len(enhancers) + len(rejects) - of_all
        if missing < counts["rejected"] * len(enhancers):
            return 0  # some enhancer managed some photo
        first = rejects.iloc[0]
        raise DataError(
            f"none of {counts['photos']} photos could be labelled; {first['path']}: "
            f"{first['message']} All reasons are in {result['folder']}/rejects"
        )
    return 0
