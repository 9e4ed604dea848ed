"""What embedding ``should_enhance`` costs: import, inference, whole call, memory.

Run with ``python benchmarks/runtime.py``. Inference and whole calls are CPU time on one core, the
median of rounds in which the compared calls alternate, so that a busy machine slows both sides of
a ratio alike.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from PIL import Image

import trigger
from trigger.preprocessing import STANDARD

HEAVY = ("tensorflow", "keras", "apache_beam", "pandas", "scipy", "pyarrow")
PROBE = """
import json, pathlib, resource, sys, time
begin = time.perf_counter(), time.process_time()
import trigger
imported = time.perf_counter() - begin[0], time.process_time() - begin[1]
loaded = sorted(sys.modules)
def peak():
    status = pathlib.Path("/proc/self/status")  # getrusage counts the parent's memory too
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
memory = [peak()]
begin = time.perf_counter()
trigger.should_enhance(sys.argv[1])
first = time.perf_counter() - begin
memory.append(peak())
for _ in range(30):
    trigger.should_enhance(sys.argv[1])
memory.append(peak())
for _ in trigger.Trigger().assess_all([sys.argv[1]] * 60, workers=2):
    pass
memory.append(peak())
print(json.dumps({"imported": imported, "first": first, "memory": memory, "loaded": loaded}))
"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=15, help="of the whole call")
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    content = photo_of_12_megapixels()
    results = measure(content, args.rounds)
    if args.json:
        print(json.dumps(results, indent=2))
    else:
        for name, value in results.items():
            print(f"{name:52} {value:.2f}" if isinstance(value, float) else f"{name:52} {value}")
    return 1 if results["heavy modules imported"] else 0


def photo_of_12_megapixels() -> bytes:
    """Enlarge a bundled photograph; a little grain gives the JPEG the size of a camera's."""
    photo = Image.fromarray(skimage.data.coffee()).resize((4032, 3024), Image.Resampling.BICUBIC)
    grain = np.random.default_rng(0).normal(0, 4, (3024, 4032, 1))
    pixels = np.clip(np.asarray(photo) + grain, 0, 255).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=90)
    return content.getvalue()


def measure(content: bytes, rounds: int) -> dict[str, Any]:
    """Return name -> number, name with unit."""
    default = trigger.Trigger()
    image = STANDARD.apply(np.asarray(Image.fromarray(skimage.data.coffee())))[np.newaxis]

    def decode_and_resize(shorter_side: int | None) -> None:
        with Image.open(io.BytesIO(content)) as photo:
            if shorter_side:
                photo.draft(None, (shorter_side, shorter_side))
            np.asarray(photo.resize((STANDARD.size, STANDARD.size), Image.Resampling.BILINEAR))

    (model,) = alternate([lambda: default.model.score(image)], rounds * 10)
    # In two pairs: after a full decode the allocator starts afresh, which costs the next call.
    call, reduced = alternate(
        [lambda: default.assess(content), lambda: decode_and_resize(STANDARD.at_least)], rounds
    )
    again, full = alternate(
        [lambda: default.assess(content), lambda: decode_and_resize(None)], rounds
    )
    probe = probe_process(content)
    return {
        "photo": f"4032x3024 JPEG, {len(content) / 1e6:.1f} MB",
        "import trigger, ms": min(run["imported"][0] for run in probe) * 1000,
        "import trigger, CPU ms": min(run["imported"][1] for run in probe) * 1000,
        "heavy modules imported": [name for name in HEAVY if name in probe[0]["loaded"]],
        "first call with model loading, ms": min(run["first"] for run in probe) * 1000,
        "inference, CPU ms": statistics.median(model),
        "whole call, CPU ms": statistics.median(call),
        "decode (reduced alike) + resize, CPU ms": statistics.median(reduced),
        "decode (every pixel) + resize, CPU ms": statistics.median(full),
        "whole call / decode (reduced alike) + resize": ratio(call, reduced),
        "whole call / decode (every pixel) + resize": ratio(again, full),
        "peak memory after import, MB": probe[0]["memory"][0],
        "peak memory after the first call, MB": probe[0]["memory"][1],
        "peak memory after 30 more, MB": probe[0]["memory"][2],
        "peak memory after 60 in two threads, MB": probe[0]["memory"][3],
    }


def alternate(actions: list[Callable[[], object]], rounds: int) -> list[list[float]]:
    """Return the CPU milliseconds of each action in each round; they run in turns."""
    for action in actions:
        action()
    gc.collect()
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds):
        for action, milliseconds in zip(actions, times, strict=True):
            begin = time.process_time()
            action()
            milliseconds.append((time.process_time() - begin) * 1000)
    return times


def ratio(numerators: list[float], denominators: list[float]) -> float:
    """Return the median of the ratios within rounds."""
    pairs = zip(numerators, denominators, strict=True)
    return statistics.median(numerator / denominator for numerator, denominator in pairs)


def probe_process(content: bytes, runs: int = 3) -> list[dict[str, Any]]:
    """Import and call in fresh processes; the first run also warms the disk cache."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "photo.jpg")
        path.write_bytes(content)
        command = [sys.executable, "-c", PROBE, str(path)]
        outputs = [
            subprocess.run(command, capture_output=True, text=True, check=True).stdout
            for _ in range(runs)
        ]
    return [json.loads(output) for output in outputs]


if __name__ == "__main__":
    raise SystemExit(main())
