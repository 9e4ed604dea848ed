"""``trigger label``: score photos, enhance them, score again, and keep the difference.

The driver plans (which photos need a label), lets an engine label the shards, and then believes
only the files: photos = labelled + labelled before + duplicates + rejected, or it is an error.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from pipelines.label_report import describe_deltas, draw_deltas, summary_text
from pipelines.labels import (
    KIND,
    RUN_FILE,
    Recipe,
    label_file,
    labelled_photos,
    read_labels,
    read_rejects,
    read_run,
    write_file,
    write_rejects,
)
from pipelines.shards import (
    ENHANCED_FORMATS,
    STAGES,
    EnhancedFormat,
    Job,
    Shard,
    make_shards,
    shard_name,
    take_inventory,
)
from trigger.assessment import DEFAULT_THRESHOLD
from trigger.errors import DataError, OptionError
from trigger.photo import find_photos
from trigger.quiet import native_messages_muted

if TYPE_CHECKING:
    from types import ModuleType

LARGEST_SHARD = 64
SHARDS_PER_WORKER = 8
PACKAGES = ("trigger", "apache-beam", "numpy", "pillow", "opencv-python-headless", "ai-edge-litert")


def label_photos(
    photos: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    enhancer: str = "classical",
    scorer: str = "nima",
    shard_size: int | None = None,
    enhanced_format: EnhancedFormat | None = "png",
    workers: int = 1,
    beam_flags: Sequence[str] = (),
    show_progress: bool = False,
) -> dict[str, Any]:
    """Label photos into a folder; photos that it already holds labels of are skipped.

    Args:
        photos: files and folders.
        folder: where labels go: a new or empty folder, or one of an earlier run.
        enhancer: name for ``load_enhancer``.
        scorer: name for ``load_scorer``.
        shard_size: photos per shard; by default up to 64, fewer where a worker would otherwise
            get less than eight shards.
        enhanced_format: how enhanced photos are stored; None: not at all.
        workers: processes on this machine.
        beam_flags: options for Beam, such as another runner.
        show_progress: draw a progress bar on stderr if that is a terminal.

    Returns:
        What LABELS/run.json holds.

    Raises:
        OptionError: an option is out of its range, or the folder is not for labels.
        DataError: there are no photos.
        EngineError: the engine failed or lost photos. Finished shards are kept.
    """
    if workers < 1:
        raise OptionError(f"workers is {workers}; it must be 1 or more")
    if shard_size is not None and shard_size < 1:
        raise OptionError(f"shard size is {shard_size}; it must be 1 or more photos")
    started, clock = datetime.now(UTC), time.perf_counter()
    out = _open_folder(Path(os.path.abspath(folder)))  # noqa: PTH100, links stay as given
    with _quiet_logging():
        from pipelines import engine

        engine.beam_options(beam_flags)
        models = engine.load_models(enhancer, scorer)
        recipe = Recipe(
            models[0].name,
            models[0].version,
            models[1].name,
            models[1].version,
            models[1].preprocessing,
        )
        run: dict[str, Any] = {
            "kind": KIND,
            "state": "unfinished",
            "started": started.isoformat(timespec="seconds"),
            "folder": str(out),
            "photos": [os.fspath(path) for path in photos],
            "recipe": vars(recipe),
            "options": {
                "enhancer": enhancer,
                "scorer": scorer,
                "shard_size": shard_size,
                "enhanced_format": enhanced_format,
                "workers": workers,
                "beam": list(beam_flags),
            },
            "versions": {name: version(name) for name in PACKAGES}
            | {"python": platform.python_version()},
        }
        _write_run(out, run)
        run |= _label(photos, out, recipe, run["options"], show_progress, engine)
    run |= {"state": "finished", "seconds": round(time.perf_counter() - clock, 2)}
    _write_run(out, run)
    return run


def _label(
    photos: Sequence[str | os.PathLike[str]],
    out: Path,
    recipe: Recipe,
    options: dict[str, Any],
    show_progress: bool,
    engine: ModuleType,
) -> dict[str, Any]:
    """Plan, run, verify; returns the part of run.json that tells what happened."""
    # Photos below the labels folder are this job's own enhanced ones.
    found = (Path(os.path.abspath(path)) for path in find_photos(photos))  # noqa: PTH100, not resolve
    listed = (path for path in found if out not in path.parents)
    bar = tqdm(listed, "listing", unit=" photos", disable=None if show_progress else True)
    inventory = take_inventory(bar, labelled_photos(out, recipe))
    if not inventory.photos:
        raise DataError(
            f"no photos found in {', '.join(os.fspath(path) for path in photos)}; give photo files "
            f"or folders that hold some (photos within {out} do not count)"
        )
    workers = options["workers"]
    size = options["shard_size"] or _shard_size(len(inventory.todo), workers)
    shards = make_shards(inventory.todo, recipe, size)
    # Every reject is tried again, so what earlier runs wrote about them is out of date.
    shutil.rmtree(out / "rejects", ignore_errors=True)
    for shard in shards:
        (out / label_file(shard.name)).unlink(missing_ok=True)
    if inventory.unreadable:
        name = shard_name([(r.photo, r.path) for r in inventory.unreadable], recipe)
        write_rejects(out, name, inventory.unreadable)
    counters: dict[str, int] = {}
    if shards:
        job = Job(
            str(out), options["enhancer"], options["scorer"], recipe, options["enhanced_format"]
        )
        with _progress(out, shards, show_progress):
            counters = engine.run_shards(shards, job, workers, options["beam"])

    labelled, rejects = labelled_photos(out, recipe), read_rejects(out)
    counts = {
        "photos": inventory.photos,
        "labelled": sum(photo in labelled for shard in shards for photo, _ in shard.photos),
        "already": inventory.already,
        "duplicates": inventory.duplicates,
        "rejected": len(rejects),
    }
    lost = [shard.name for shard in shards if not (out / label_file(shard.name)).exists()]
    if lost or counts["photos"] != sum(counts.values()) - counts["photos"]:
        raise engine.EngineError(
            f"the engine said it was done, but {len(lost)} of {len(shards)} shards are missing in "
            f"{out} and the photos add up to {counts}; run the same command again"
        )
    deltas: dict[str, Any] = {}
    if labelled:
        values = read_labels(out, recipe)["delta"].to_numpy()
        deltas = describe_deltas(values, DEFAULT_THRESHOLD)
        write_file(out, "deltas.png", draw_deltas(values, deltas, str(recipe)))
    return {
        "counts": counts,
        "rejects": rejects["reason"].value_counts().sort_index().to_dict(),
        "deltas": deltas,
        "shards": len(shards),
        "stages": {
            stage: round(counters.get(f"{stage}_microseconds", 0) / 1e6, 3) for stage in STAGES
        },
    }


def _shard_size(photos: int, workers: int) -> int:
    return min(LARGEST_SHARD, max(1, -(-photos // (workers * SHARDS_PER_WORKER))))


def _open_folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
        foreign = [entry.name for entry in out.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise OptionError(
            f"--out {out} cannot be a labels folder: {error.strerror or error}; name a new folder"
        ) from error
    if foreign and read_run(out) is None:
        raise OptionError(
            f"--out {out} is not a labels folder and not empty (it holds {sorted(foreign)[0]!r}); "
            "name a new or empty folder, or one that trigger label wrote"
        )
    return out


def _write_run(out: Path, run: dict[str, Any]) -> None:
    write_file(out, RUN_FILE, (json.dumps(run, indent=2) + "\n").encode())


@contextmanager
def _quiet_logging() -> Iterator[None]:
    """Beam sets up the root logger when imported and logs at length what its errors say again."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = [logging.NullHandler()]
    root.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@contextmanager
def _progress(out: Path, shards: Sequence[Shard], show: bool) -> Iterator[None]:
    """Watch the labels folder from a thread and draw how many photos are done."""
    sizes = {Path(label_file(shard.name)).name: len(shard.photos) for shard in shards}
    labels = (out / label_file("")).parent
    total, done = sum(sizes.values()), threading.Event()

    def watch() -> None:
        finished = False
        while not finished:
            finished = done.wait(0.5)
            found = os.listdir(labels) if labels.is_dir() else []  # noqa: PTH208, names only
            bar.update(sum(sizes.get(name, 0) for name in found) - bar.n)

    with tqdm(total=total, desc="labelling", unit=" photos", disable=None if show else True) as bar:
        watcher = threading.Thread(target=watch, name="progress", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options of ``trigger label``."""
    parser.description = (
        "Label photos: score each, enhance it, score it again; delta is the difference. A rerun "
        "labels only what is missing. Photos that cannot be read are recorded with reasons."
    )
    parser.epilog = (
        "example: trigger label ~/Photos --out labels --workers 4\n"
        "options for Beam come after --, as in: trigger label ~/Photos --out labels "
        "-- --runner=FlinkRunner --flink_master=host:8081"
    )
    parser.add_argument("photos", nargs="+", metavar="PHOTOS", help="photo files and folders")
    parser.add_argument(
        "--out", required=True, metavar="LABELS", help="labels folder; made if it does not exist"
    )
    parser.add_argument("--enhancer", default="classical", help="default: %(default)s")
    parser.add_argument("--scorer", default="nima", help="default: %(default)s")
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes (default: %(default)s)"
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
    parser.add_argument("--json", action="store_true", help="print the run summary as JSON")


def run(args: argparse.Namespace) -> int:
    """Run ``trigger label``.

    Raises:
        DataError: no photo has a label in the end.
    """
    with native_messages_muted(), _quiet_logging():  # label_photos then finds them loaded
        from pipelines import engine

        engine.load_models(args.enhancer, args.scorer)
    result = label_photos(
        args.photos,
        args.out,
        enhancer=args.enhancer,
        scorer=args.scorer,
        shard_size=args.shard_size,
        enhanced_format=args.enhanced_format,
        workers=args.workers,
        beam_flags=args.passed_on,
        show_progress=not args.json,
    )
    text = json.dumps(result, indent=2) if args.json else summary_text(result)
    sys.stdout.write(text + "\n")
    counts = result["counts"]
    if not counts["labelled"] + counts["already"]:
        first = read_rejects(result["folder"]).iloc[0]
        raise DataError(
            f"none of {counts['photos']} photos could be labelled; {first['path']}: "
            f"{first['message']} All reasons are in {result['folder']}/rejects"
        )
    return 0
