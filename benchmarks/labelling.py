"""What labelling through Beam costs over a plain Python loop with the same models, and its memory.

Run with ``python benchmarks/labelling.py``. Each run is a process of its own; CPU seconds are of
that process, all threads together. Loop and pipeline alternate, so that a busy machine slows both
sides of a ratio alike. Peak memory is compared between N and ``--growth`` times N photos.
``--workers`` also compares wall time of one and two worker processes, which needs two free cores.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import skimage.data
from PIL import Image
from sklearn.datasets import load_sample_images

from pipelines.enhancers import DEFAULT_ENHANCER
from trigger.photo import find_photos

TARGET = 1.05
TARGET_WORKERS = 1.8
CROP = (360, 480)
Run = dict[str, dict[str, float]]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}


def main() -> int:
    """Measure and print; 1 if the pipeline costs more than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--photos",
        type=Path,
        help="folder of readable, different photos, instead of generated ones",
    )
    parser.add_argument("--count", type=int, default=100, help="N (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="at N photos (default: %(default)s)")
    parser.add_argument("--growth", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--workers", action="store_true", help="compare 1 and 2 workers, too")
    parser.add_argument("--enhancer", default=DEFAULT_ENHANCER, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--only", choices=[*RUNS, *WORKER_RUNS], help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(measured(args.only, args.photos, args.out, args.enhancer)))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        few, many = prepare_photos(Path(scratch), args.photos, args.count, args.growth)
        out = Path(scratch, "out")
        run = functools.partial(run_alone, out=out, enhancer=args.enhancer)
        runs = [{name: run(name, few) for name in RUNS} for _ in range(args.rounds)]
        grown = {name: run(name, many) for name in RUNS}
        report = compare(runs, grown)
        if args.workers:
            report |= compare_workers({name: run(name, many) for name in WORKER_RUNS})
    print(json.dumps(report, indent=2) if args.json else table(report))
    return 0 if report[f"CPU, pipeline / loop, {args.count} photos"] <= TARGET else 1


def prepare_photos(scratch: Path, given: Path | None, count: int, growth: int) -> tuple[Path, Path]:
    """Make a folder of N photos and one of N x growth; the latter holds the former."""
    few, many = scratch / "few", scratch / "many"
    few.mkdir()
    many.mkdir()
    if given is None:
        make_photos(many, growth * count)
    else:
        found = list(find_photos([given]))[: growth * count]
        if len(found) < growth * count:
            raise SystemExit(f"{given} holds {len(found)} photos; {growth * count} are needed")
        for number, path in enumerate(found):
            shutil.copy(path, many / f"{number:06}{path.suffix}")
    for path in sorted(many.iterdir())[:count]:
        shutil.copy(path, few)
    return few, many


def make_photos(folder: Path, count: int) -> None:
    """Write crops of bundled photographs, degraded: clean, noisy or blurred, as JPEG."""
    from pipelines.degradation.model import Factors, jpeg_bytes, random_factors, sensor

    photographs = [skimage.data.astronaut(), skimage.data.coffee(), *load_sample_images().images]
    rng = np.random.default_rng(0)
    for number in range(count):
        photograph = photographs[number % len(photographs)]
        top = rng.integers(photograph.shape[0] - CROP[0] + 1)
        left = rng.integers(photograph.shape[1] - CROP[1] + 1)
        crop = photograph[top : top + CROP[0], left : left + CROP[1]].astype(np.float32) / 255
        factors = (Factors(), random_factors("noise", rng), random_factors("blur", rng))
        pixels = sensor(crop, factors[number % 3], rng)
        (folder / f"{number:04}.jpg").write_bytes(jpeg_bytes(pixels, (95, 80, 30)[number // 3 % 3]))


def run_alone(name: str, photos: Path, out: Path, enhancer: str) -> dict[str, float]:
    """Label in a fresh process and return what it measured of itself."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, __file__, "--only", name, "--photos", str(photos), "--out", str(out)]
    command += ["--enhancer", enhancer]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(command, env=os.environ | ONE_THREAD, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(ended.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**json.loads(ended.stdout), "total": total}


def measured(name: str, photos: Path, out: Path, enhancer: str) -> dict[str, float]:
    """In the fresh process: CPU seconds of imports with model loading, of the work, and memory."""
    work = (RUNS | WORKER_RUNS)[name](photos, out, enhancer)
    imported = time.process_time()
    begin = time.perf_counter()
    result = work()
    wall = time.perf_counter() - begin
    used = time.process_time() - imported
    status = Path("/proc/self/status")  # getrusage counts the parent's memory too
    if status.exists():
        peak = int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return result | {"imports": imported, "work": used, "wall": wall, "peak_mb": peak}


def plain_loop(photos: Path, out: Path, enhancer: str) -> Callable[[], dict[str, float]]:
    """What one would write without an engine; returns the work, with everything imported."""
    import pandas as pd

    from pipelines.enhancers import enhance_pixels, load_enhancer
    from pipelines.scorers import DEFAULT_SCORER, load_scorer, mean_score
    from trigger.photo import photo_hash, read_photo

    repair, scorer = load_enhancer(enhancer), load_scorer(DEFAULT_SCORER)

    def work() -> dict[str, float]:
        out.mkdir()
        rows = []
        for path in sorted(photos.iterdir()):
            data = path.read_bytes()
            pixels = read_photo(data, name=str(path)).pixels
            enhanced = enhance_pixels(repair, pixels)
            distributions = scorer.score([pixels, enhanced])
            before, after = mean_score(distributions)
            photo = photo_hash(data)
            Image.fromarray(enhanced).save(out / f"{photo}.png", compress_level=1)
            rows.append((photo, str(path), distributions[0], before, after, after - before))
        pd.DataFrame(rows, columns=list("abcdef")).to_parquet(out / "labels.parquet")
        return {"photos": len(rows)}

    return work


def pipeline(
    photos: Path, out: Path, enhancer: str, workers: int = 1
) -> Callable[[], dict[str, float]]:
    """``trigger label`` in this process; returns the work, with everything imported."""
    from pipelines.labelling import labeller as shards
    from pipelines.labelling.run import label_photos
    from pipelines.scorers import DEFAULT_SCORER

    shards.load_models([enhancer], DEFAULT_SCORER)
    # Here stages are asked for their CPU seconds; each is the work of one thread.
    setattr(shards, "time", SimpleNamespace(perf_counter=time.thread_time))  # noqa: B010

    def work() -> dict[str, float]:
        run = label_photos([photos], out, enhancers=[enhancer], workers=workers)
        assert run.counts is not None
        return {"photos": run.counts.labelled, **run.stages}

    return work


RUNS = {"loop": plain_loop, "pipeline": pipeline}
WORKER_RUNS = {
    "1 worker": functools.partial(pipeline, workers=1),
    "2 workers": functools.partial(pipeline, workers=2),
}


def compare(runs: list[Run], grown: Run) -> dict[str, Any]:
    """Return name -> number, name with unit; over rounds, medians of numbers and of ratios."""
    from pipelines.labelling.labeller import (
        STAGES,  # not on top: the plain loop goes without its imports
    )

    few, many = round(runs[0]["loop"]["photos"]), round(grown["loop"]["photos"])

    def middle(name: str, part: str) -> float:
        return statistics.median(run[name][part] for run in runs)

    def ratio(part: str, among: list[Run]) -> float:
        return statistics.median(run["pipeline"][part] / run["loop"][part] for run in among)

    report: dict[str, Any] = {}
    for name in RUNS:
        report |= {
            f"{name}: imports and models, CPU s": middle(name, "imports"),
            f"{name}: {few} photos, CPU s per photo": middle(name, "work") / few,
            f"{name}: {many} photos, CPU s per photo": grown[name]["work"] / many,
            f"{name}: {many} photos, photos per second (wall)": many / grown[name]["wall"],
            f"{name}: {few} photos, peak memory MB": middle(name, "peak_mb"),
            f"{name}: {many} photos, peak memory MB": grown[name]["peak_mb"],
        }
    stages = {stage: grown["pipeline"][stage] / many for stage in STAGES}
    stages["planning, Beam, all else"] = grown["pipeline"]["work"] / many - sum(stages.values())
    report |= {f"pipeline: of these, {stage}": seconds for stage, seconds in stages.items()}
    return report | {
        f"CPU, pipeline / loop, {few} photos": ratio("work", runs),
        f"CPU, pipeline / loop, {many} photos": ratio("work", [grown]),
        f"CPU with imports, pipeline / loop, {few} photos": ratio("total", runs),
        f"CPU with imports, pipeline / loop, {many} photos": ratio("total", [grown]),
        f"memory of the pipeline, {many} / {few} photos": grown["pipeline"]["peak_mb"]
        / middle("pipeline", "peak_mb"),
    }


def compare_workers(runs: Run) -> dict[str, Any]:
    """Wall time of both, with starting the worker processes, and their ratio."""
    one, two = (runs[name]["wall"] for name in WORKER_RUNS)
    return {"1 worker, s": one, "2 workers, s": two, "1 worker / 2 workers": one / two}


def table(report: dict[str, Any]) -> str:
    """The report as lines."""
    lines = [f"{name:52} {value:.3f}" for name, value in report.items()]
    lines.append(f"target for CPU, pipeline / loop, without imports: at most {TARGET}")
    if "1 worker / 2 workers" in report:
        lines.append(f"target for 1 worker / 2 workers, on free cores: at least {TARGET_WORKERS}")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
