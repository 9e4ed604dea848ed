"""Planning a run over a million photos: seconds and memory, before the first photo is labelled.

Run with ``python benchmarks/planning.py``. The listing is synthetic: paths that are not opened, and
contents of which a tenth are duplicates; everything from there on is what ``trigger label`` does.
A second plan follows with all of them labelled, as for a folder that has not grown.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

MAX_MB = 500
DUPLICATES = 0.1
ROWS = 50_000


def main() -> int:
    """Measure and print; 1 if planning takes more memory than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=1_000_000, help="default: %(default)s")
    parser.add_argument("--only", choices=("first", "again"), help=argparse.SUPPRESS)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(measure(args.photos, args.out)))
        return 0
    out = tempfile.mkdtemp()
    try:
        first = run_alone("first", args.photos, out)
        write_labels(args.photos, out)
        again = run_alone("again", args.photos, out)
    finally:
        shutil.rmtree(out)
    for name, run in (("new", first), ("all labelled", again)):
        print(f"{args.photos} photos, {name}:", json.dumps(run))
    print(f"target: at most {MAX_MB} MB")
    return 0 if max(first["peak_mb"], again["peak_mb"]) <= MAX_MB else 1


def run_alone(name: str, photos: int, out: str) -> dict[str, Any]:
    """Plan in a fresh process."""
    command = [sys.executable, __file__, "--only", name, f"--photos={photos}", f"--out={out}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def paths(photos: int) -> Iterator[str]:
    """Paths as long as real ones."""
    for number in range(photos):
        yield f"/photos/2024/{number % 366:03}/camera-upload/IMG_20240101_{number:09}.jpg"


def identity(path: str) -> str:
    """A hash that a tenth of the photos share with another one."""
    number = int(path[-13:-4])
    return hashlib.sha256(b"%d" % (number - number % round(1 / DUPLICATES) // 9)).hexdigest()


def write_labels(photos: int, out: str) -> None:
    """Labels of all of them, in large files as compaction leaves them."""
    from pipelines.data.label_files import label_bytes, label_file
    from pipelines.data.label_schema import LABEL_SCHEMA
    from pipelines.data.storage import Folder

    hashes = iter(dict.fromkeys(map(identity, paths(photos))))
    number = 0
    while part := list(itertools.islice(hashes, ROWS)):
        row: dict[str, list[Any]] = {name: ["x"] * len(part) for name in LABEL_SCHEMA.names}
        row |= {"photo": part, "input_distribution": [[0.1] * 10] * len(part)}
        numbers = ("width", "height", "input_score", "enhanced_score", "delta")
        row |= {name: [1] * len(part) for name in numbers}
        table = pa.table(row, LABEL_SCHEMA)
        Folder(out).write(label_file(f"{number}-{len(part)}"), label_bytes(table))
        number += 1


def measure(photos: int, out: str) -> dict[str, Any]:
    """In the fresh process: plan, with everything imported that ``trigger label`` imports."""
    from pipelines.data.label_schema import Recipe
    from pipelines.data.storage import Folder
    from pipelines.labelling import plan

    plan.photo_hash = lambda data: identity(data.decode())
    plan.read_photo_file = lambda location: location.encode()
    begin, cpu = time.perf_counter(), time.process_time()
    recipe = Recipe("x", "x", "x", "x", "x")
    made = plan.make_plan(paths(photos), [recipe], Folder(out), None, 1, dry=False)
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return {
        "seconds": round(time.perf_counter() - begin, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_mb": round(peak),
        "to_label": made.todo_photos,
        "already": made.already,
        "duplicates": made.duplicates,
        "shards": len(made.shards),
    }


if __name__ == "__main__":
    raise SystemExit(main())
