"""``trigger degrade``: widen a set of mostly good photos with degraded versions of each."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from pipelines.data.labels import storable
from pipelines.data.lock import working_in
from pipelines.data.pixels import Pixels, to_float
from pipelines.data.processes import worker_processes
from pipelines.data.provenance import (
    RECORD,
    Row,
    begin_unfinished,
    one_each,
    photos_outside,
    put_in_place,
    read_records,
    record_rows,
)
from pipelines.degradation.hard_negatives import HARD_NEGATIVES, HardNegative, hard_negative
from pipelines.degradation.model import (
    BEST_QUALITY,
    KINDS,
    Factors,
    Kind,
    jpeg_bytes,
    random_factors,
    sensor,
)
from trigger.cli.options import local_path, positive_number, random_seed
from trigger.console.terminal import leave_out
from trigger.errors import DataError, PhotoError
from trigger.files import write_atomically
from trigger.photo import photo_hash, read_photo, read_photo_bytes

AnyKind = Kind | HardNegative
ALL_KINDS: tuple[AnyKind, ...] = (*KINDS, *HARD_NEGATIVES)
LONGEST_STEM = 190  # bytes of the photo's own name within that of its versions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``trigger degrade``."""
    parser.description = (
        "Write degraded versions of photos: v = C(S(u * k) + n) with blur k, sensor saturation S, "
        f"noise n and JPEG compression C. The applied factors are recorded in OUT/{RECORD}, with "
        "the scene each version belongs to. The same seed gives the same files; a folder that "
        "holds degraded photos already gains the new ones, those of another seed too. Hard "
        "negatives, pictures that look faulty though nothing can be mended, are made on request: "
        "thumbnails of the photos, pages of text and plain areas in their colours."
    )
    parser.epilog = (
        "exit codes: 0 done, photos that could not be read are named; 1 none could be read (or an "
        "error); 2 wrong usage\n"
        "examples: trigger degrade clean --out degraded --versions 2; "
        "trigger degrade clean --out negatives --kinds thumbnail text plain"
    )
    parser.add_argument(
        "photos", nargs="+", type=local_path, help="flawless photos or folders of them"
    )
    parser.add_argument(
        "--out", type=local_path, required=True, help="folder for the degraded photos"
    )
    parser.add_argument(
        "--kinds",
        nargs="+",
        choices=ALL_KINDS,
        default=list(KINDS),
        help="which degradations; 'none' copies the photo as it is; thumbnail, text and plain are "
        "hard negatives (default: all but those)",
    )
    parser.add_argument(
        "--versions",
        type=positive_number,
        default=1,
        help="of each kind but 'none', per photo (default: 1)",
    )
    parser.add_argument("--seed", type=random_seed, default=0, help="default: %(default)s")


def run(args: argparse.Namespace) -> int:
    """Degrade all photos; unreadable ones are named on standard error and left out."""
    photos = photos_outside(args.out, args.photos)
    if not photos:
        raise DataError(
            f"no photos found in {', '.join(map(str, args.photos))}; those in --out do not count"
        )
    with working_in(args.out):
        made, rejected = _degrade_into(args, photos)
    print(  # noqa: T201
        f"made {len(made)} photos of {len({row['scene'] for row in made})} scenes in {args.out}; "
        f"{rejected} could not be read"
    )
    return 1 if rejected == len(photos) else 0


def _degrade_into(args: argparse.Namespace, photos: list[Path]) -> tuple[list[Row], int]:
    """Degrade photos and record them; returns what was made, and how many could not be read."""
    known = record_rows(args.out)
    # What was made from photos that were degraded before stays with the scene of their original.
    scenes = read_records(photos)["scene"].to_dict()
    unfinished = begin_unfinished(args.out)
    work = partial(
        _degrade_photo, out=unfinished, kinds=args.kinds, versions=args.versions, seed=args.seed
    )
    made: list[Row] = []
    rejected = 0
    with worker_processes() as pool:
        results = pool.map(work, photos)
        for result in tqdm(results, "degrading", len(photos), unit="photo", disable=None):
            if isinstance(result, PhotoError):
                rejected += 1
                leave_out(result)
            else:
                made += result
    made = [row | {"scene": scenes.get(row["scene"], row["scene"])} for row in one_each(made)]
    put_in_place(args.out, known, made)
    return made, rejected


def _degrade_photo(
    path: Path, out: Path, kinds: list[AnyKind], versions: int, seed: int
) -> list[Row] | PhotoError:
    cv2.setNumThreads(1)
    try:
        data = read_photo_bytes(path)
        pixels = read_photo(data, name=str(path)).pixels
    except PhotoError as error:
        return error
    scene = photo_hash(data)
    records = []
    for kind, version, factors, rng in _plan(scene, kinds, versions, seed):
        # File names hold 255 bytes; that of the temporary file is a little longer.
        name = storable(path.stem).encode()[:LONGEST_STEM].decode(errors="ignore")
        stem = f"{name}-{scene[:8]}-{kind}-{version}"
        if kind == "none":
            target, content = out / f"{stem}{storable(path.suffix.lower())}", data
        else:
            stem += f"-seed{seed}" if seed else ""
            made = hard_negative(kind, pixels, rng) if kind in HARD_NEGATIVES else pixels
            target, content = _encode(out / stem, made, factors, rng)
        write_atomically(target, content)
        records.append(
            {
                "photo": photo_hash(content),
                "path": target.name,
                "scene": scene,
                "source": storable(path.name),
                "kind": kind,
                "factors": json.dumps(factors.to_json()),
            }
        )
    return records


def _plan(
    scene: str, kinds: list[AnyKind], versions: int, seed: int
) -> Iterator[tuple[AnyKind, int, Factors, np.random.Generator]]:
    for kind in kinds:
        for version in range(1 if kind == "none" else versions):
            # Named by what is made, so that adding kinds or photos changes no other file.
            words = [seed, int(scene[:12], 16), ALL_KINDS.index(kind), version]
            rng = np.random.default_rng(words)
            factors = random_factors(kind, rng) if kind in KINDS else _saved(rng)
            yield kind, version, factors, rng


def _saved(rng: np.random.Generator) -> Factors:
    """How thumbnails and screenshots are kept: as PNG or as a JPEG of fair quality."""
    return Factors(
        jpeg_quality=int(rng.integers(60, BEST_QUALITY + 1)) if rng.random() < 0.5 else None
    )


def _encode(
    stem: Path, pixels: Pixels, factors: Factors, rng: np.random.Generator
) -> tuple[Path, bytes]:
    values = sensor(to_float(pixels), factors, rng)
    if factors.jpeg_quality is not None:
        return stem.with_name(f"{stem.name}.jpg"), jpeg_bytes(values, factors.jpeg_quality)
    out = io.BytesIO()
    Image.fromarray(values).save(out, "PNG", compress_level=1)
    return stem.with_name(f"{stem.name}.png"), out.getvalue()
