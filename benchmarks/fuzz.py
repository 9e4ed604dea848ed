"""Try to break the readers of files from strangers.

``python benchmarks/fuzz.py photos [--count 2000] [--seed 0] [--seconds 300]`` mutates photos of
every format that can be written here, and reads each. Allowed are a photo and a PhotoError. Any
other exception, a crash, or a call above its budget of memory or time is a failure: the input is
kept, and the exit code is 1. A crash ends a worker process, not the run.

``python benchmarks/fuzz.py models [--count 200] [--seed 0] [--seconds 300]`` does the same to
mutated model files: each must load and score, or raise ModelError.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import random
import resource
import struct
import sys
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from fuzz_models import fuzz_models
from trigger.errors import PhotoError
from trigger.photo import Limits, read_photo

FORMATS: dict[str, tuple[str, str, dict[str, object]]] = {
    "jpeg": ("JPEG", "RGB", {"quality": 85}),
    "jpeg progressive": ("JPEG", "RGB", {"quality": 85, "progressive": True}),
    "jpeg restarts": ("JPEG", "RGB", {"quality": 85, "restart_marker_rows": 1}),
    "jpeg gray": ("JPEG", "L", {}),
    "jpeg cmyk": ("JPEG", "CMYK", {}),
    "png": ("PNG", "RGB", {}),
    "png palette": ("PNG", "P", {"transparency": 3}),
    "png alpha": ("PNG", "RGBA", {}),
    "png 16": ("PNG", "I;16", {}),
    "webp": ("WEBP", "RGB", {}),
    "webp lossless": ("WEBP", "RGBA", {"lossless": True}),
    "gif": ("GIF", "P", {}),
    "bmp": ("BMP", "RGB", {}),
    "tiff": ("TIFF", "RGB", {}),
    "tiff lzw": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "tiff deflate": ("TIFF", "RGBA", {"compression": "tiff_adobe_deflate"}),
    "tiff jpeg": ("TIFF", "RGB", {"compression": "jpeg"}),
    "tiff group 4": ("TIFF", "1", {"compression": "group4"}),
    "tiff 16": ("TIFF", "I;16", {"compression": "tiff_adobe_deflate"}),
    "tiff float": ("TIFF", "F", {}),
    "avif": ("AVIF", "RGB", {"speed": 10}),
}
_LIMITS = Limits(memory_bytes=300_000_000, seconds=5.0)
_OVERHEAD_BYTES = 50_000_000  # of allocators, besides what the limits count
_PATIENCE = 4.0  # machines differ in speed
_KEPT = Path("fuzz-failures")


def samples() -> dict[str, bytes]:
    """One small photo-like file of each format, some with EXIF data and an ICC profile."""
    y, x = np.mgrid[0:72, 0:96]
    pixels = np.stack([128 + 100 * np.sin(x / 9 + y / 5), x * 2.6, 255 - y * 3.5], axis=-1)
    noise = np.random.default_rng(0).normal(0, 8, pixels.shape)
    picture = Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    files = {}
    for name, (fmt, mode, options) in FORMATS.items():
        image = picture.convert("L").convert("I;16") if mode == "I;16" else picture.convert(mode)
        metadata: dict[str, object] = {}
        if fmt in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF") and mode in ("RGB", "RGBA"):
            metadata = {"exif": exif, "icc_profile": profile}
        content = io.BytesIO()
        image.save(content, fmt, **metadata, **options)
        files[name] = content.getvalue()
    return files


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Damage a file as transfers, disks and attackers do."""
    content = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 8))):
        place = chance.randrange(len(content)) if content else 0
        if chance.random() < 0.5:  # headers decide most
            place = min(place, chance.randrange(1, 200))
        match chance.randrange(7):
            case 0:
                content[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                content[place : place + 4] = struct.pack(
                    ">L", chance.choice((0, 1, 2**31, 2**32 - 1))
                )
            case 2:
                content[place : place + 2] = chance.choice(
                    (b"\0\0", b"\xff\xff", b"\x7f\xff", b"\xff\xd9")
                )
            case 3:
                del content[place:]
            case 4:
                del content[place : place + chance.randrange(1, 64)]
            case 5:
                content[place:place] = content[place : place + chance.randrange(1, 64)]
            case 6:
                end = place + chance.randrange(1, 512)
                content[place:end] = bytes(len(content[place:end]))
    if data[:4] == b"\x89PNG" and chance.random() < 0.7:
        return _with_checksums(bytes(content))
    return bytes(content)


def _with_checksums(data: bytes) -> bytes:
    """Correct the checksums of a PNG, without which nothing behind them is read."""
    content, place = bytearray(data), 8
    while place + 12 <= len(content):
        size = int.from_bytes(content[place : place + 4], "big")
        end = place + 8 + size
        if end + 4 > len(content):
            break
        content[end : end + 4] = struct.pack(">L", zlib.crc32(content[place + 4 : end]))
        place = end + 4
    return bytes(content)


def read(data: bytes) -> str:
    """Read one photo in a worker; return the outcome, "FAILURE: ..." if it is not allowed."""
    start, before = time.process_time(), _peak_bytes()
    try:
        photo = read_photo(data, limits=_LIMITS)
        ok = photo.pixels.shape == (photo.height, photo.width, 3)
        outcome = f"read, profile {photo.profile_use}" if ok else "FAILURE: wrong shape"
    except PhotoError as error:
        outcome = error.reason
    except BaseException:
        outcome = f"FAILURE: {traceback.format_exc(limit=-3)}"
    seconds = time.process_time() - start
    if seconds > _LIMITS.seconds * _PATIENCE:
        return f"FAILURE: {seconds:.1f} seconds"
    # The peak of the process grows only when it is exceeded.
    grown = _peak_bytes() - before
    if grown > _LIMITS.memory_bytes + _OVERHEAD_BYTES:
        return f"FAILURE: {grown / 10**6:.0f} MB"
    return outcome


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def fuzz_photos(count: int, seed: int, seconds: float) -> tuple[Counter[str], list[bytes]]:
    """Read mutated photos; return the outcomes and the inputs that failed."""
    chance = random.Random(seed)
    files = samples()
    outcomes: Counter[str] = Counter()
    failed: list[bytes] = []
    deadline = time.monotonic() + seconds
    for batch in _batches(count):
        inputs = [mutate(files[chance.choice(list(files))], chance) for _ in range(batch)]
        for data, outcome in zip(inputs, _read_all(inputs), strict=True):
            outcomes[outcome.split("\n")[0] if outcome[:7] != "FAILURE" else outcome] += 1
            if outcome.startswith("FAILURE"):
                failed.append(data)
        if time.monotonic() > deadline:
            print(f"time is up after {sum(outcomes.values())} of {count}")
            break
    return outcomes, failed


def _batches(count: int, size: int = 200) -> Iterator[int]:
    for start in range(0, count, size):
        yield min(size, count - start)


def _read_all(inputs: list[bytes]) -> list[str]:
    """Read a batch in a worker process; if that crashes, one by one, to find the input."""
    try:
        with _worker() as pool:
            return list(pool.map(read, inputs))
    except BrokenProcessPool:
        if len(inputs) == 1:
            return ["FAILURE: crash of the process"]
    return [outcome for data in inputs for outcome in _read_all([data])]


def _worker() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("forkserver"))


def main() -> int:
    """Run a mode; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    modes = parser.add_subparsers(dest="mode", required=True)
    for name, about, count in (
        ("photos", "mutated photos of every format", 2000),
        ("models", "mutated model files", 200),
    ):
        mode = modes.add_parser(name, help=about)
        mode.add_argument("--count", type=int, default=count, help=f"mutations (default {count})")
        mode.add_argument("--seed", type=int, default=0)
        mode.add_argument("--seconds", type=float, default=300, help="time limit (default 300)")
    args = parser.parse_args()
    fuzz = {"photos": fuzz_photos, "models": fuzz_models}[args.mode]
    outcomes, failed = fuzz(args.count, args.seed, args.seconds)
    for outcome, number in outcomes.most_common():
        print(f"{number:6}  {outcome}")
    if failed:
        _KEPT.mkdir(exist_ok=True)
        for index, data in enumerate(failed):
            (_KEPT / f"{args.mode}-{args.seed}-{index}").write_bytes(data)
        print(f"{len(failed)} failures; inputs are in {_KEPT}/")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
