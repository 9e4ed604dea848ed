"""The demo's photos: ratings derived from the originals, and a card with pictures for each."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from pipelines.data.label_schema import RECIPE_COLUMNS, Recipe
from pipelines.data.labels import enhanced_file, read_labels
from pipelines.data.pixels import largest_window
from pipelines.data.provenance import record_rows
from pipelines.data.splits import is_held_out
from pipelines.data.tables import frame_bytes
from pipelines.degradation.model import Kind
from pipelines.demo.page import Card
from pipelines.evaluation.fidelity import similarity
from trigger.console.progress import progress
from trigger.files import write_atomically
from trigger.pages import Picture
from trigger.photo import Pixels, photo_hash, read_photo, read_photo_bytes

logger = logging.getLogger(__name__)

RATINGS_FILE = "derived-ratings.csv"
RATER = "derived from the original by SSIM, no person"
CROP = (420, 260)
"""Width and height in pixels of the detail that a card shows."""
THUMBNAIL_SIDE = 160


def rating_of(gain: float) -> int:
    """The rating 2, 1, 0 or -1 for a gain of structural similarity (-1..1)."""
    if gain >= 0.10:
        return 2
    if gain >= 0.02:
        return 1
    return 0 if gain > -0.01 else -1


@dataclass(frozen=True)
class Known:
    """What degrading and labelling recorded of one photo; paths are absolute."""

    photo: str
    path: Path
    enhanced: Path
    enhancer: str
    scene: str
    source: str
    kind: Kind
    factors: dict[str, Any]
    delta: float


def known_photos(out: Path) -> list[Known]:
    """The labelled photos of OUT, in the order they were made, with what was done to them."""
    out = _absolute(out)
    labels = read_labels(out / "labels")
    recipe = Recipe(**{name: str(labels[name].iloc[0]) for name in RECIPE_COLUMNS})
    record = pd.DataFrame(record_rows(out / "degraded")).drop_duplicates("photo")
    rows = record.drop(columns="path").merge(labels, on="photo")
    return [
        Known(
            photo=row["photo"],
            path=Path(row["path"]),
            enhanced=out / "labels" / enhanced_file(recipe, row["photo"], "png"),
            enhancer=row["enhancer"],
            scene=row["scene"],
            source=row["source"],
            kind=row["kind"],
            factors=json.loads(row["factors"]),
            delta=float(row["delta"]),
        )
        for row in rows.to_dict("records")
    ]


def derive_ratings(out: Path, *, show_progress: bool = False) -> None:
    """Write OUT/derived-ratings.csv: did enhancement bring each photo closer to its original?

    Args:
        out: the demo's folder, with photos, degraded and labelled photos.
        show_progress: show a progress bar on a terminal.
    """
    originals = _originals(out)
    rows: list[dict[str, str | int | float]] = []
    for known in progress(known_photos(out), "comparing", shown=show_progress):
        original = read_photo(originals[known.scene]).pixels
        before, after = (
            similarity(original, read_photo(path).pixels) for path in (known.path, known.enhanced)
        )
        rows.append(
            {
                "path": _within(out, known.path),
                "rating": rating_of(after - before),
                "scene": known.scene,
                "rater": RATER,
                "enhancer": known.enhancer,
                "ssim_before": round(before, 4),
                "ssim_enhanced": round(after, 4),
            }
        )
    table = pd.DataFrame(rows)
    write_atomically(out / RATINGS_FILE, frame_bytes(table))
    counts = table["rating"].value_counts().sort_index(ascending=False)
    text = ", ".join(f"{count} rated {rating}" for rating, count in counts.items())
    logger.info("%s: %s (%s)", RATINGS_FILE, text, RATER)


def collect_cards(out: Path, *, show_progress: bool = False) -> list[Card]:
    """Return a card for the first photo of each kind and scene; writes OUT/pictures.

    Args:
        out: the demo's folder, after every step.
        show_progress: show a progress bar on a terminal.
    """
    (out / "pictures").mkdir()
    originals = _originals(out)
    ratings = pd.read_csv(out / RATINGS_FILE).set_index("path")["rating"].to_dict()
    packaged, own = (_scores(out / f"scores-{name}.json") for name in ("packaged", "demo"))
    first: dict[tuple[str, Kind], Known] = {}
    for known in known_photos(out):
        first.setdefault((known.scene, known.kind), known)
    cards = []
    for known in progress(first.values(), "cutting pictures", shown=show_progress):
        window = most_detailed_window(read_photo(originals[known.scene]).pixels, *CROP)
        path = _within(out, known.path)
        cards.append(
            Card(
                scene=Path(known.source).stem.replace("_", " ").capitalize(),
                kind=known.kind,
                fault=describe(known.factors),
                **_pictures(out, known, window),
                photo=quote(path),
                enhanced=quote(_within(out, known.enhanced)),
                delta=known.delta,
                rating=int(ratings[path]),
                packaged=packaged[known.path],
                own=own[known.path],
                held_out=is_held_out(known.scene),
            )
        )
    return cards


def most_detailed_window(pixels: Pixels, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the window with the most detail, within the photo.

    Args:
        pixels: (H, W, 3) uint8.
        width, height: of the window; cut to the photo's own where that is smaller.
    """
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    width, height = min(width, gray.shape[1]), min(height, gray.shape[0])
    detail = np.hypot(cv2.Sobel(gray, -1, 1, 0), cv2.Sobel(gray, -1, 0, 1))
    top, left = largest_window(detail, height, width)
    return left, top, left + width, top + height


def describe(factors: dict[str, Any]) -> str:
    """What was done to a photo, from its recorded ``Factors``, in plain words."""
    words = []
    blur = f"{factors.get('blur', 0):.1f} px"
    if "kernel" in factors:
        kinds = {"motion": "motion blur", "disk": "out of focus", "gaussian": "soft"}
        words.append(f"{kinds[factors['kernel']]} ({blur})")
    if "exposure" in factors:
        words.append(f"overexposed ({factors['exposure']:.1f}×)")
    variance = factors.get("photon_noise", 0) * 0.5 + factors.get("read_noise", 0) ** 2
    if variance:
        words.append(f"noise (σ {255 * variance**0.5:.0f})")
    if "jpeg_quality" in factors:
        words.append(f"JPEG (quality {factors['jpeg_quality']})")
    return ", ".join(words) or "as it is"


def _originals(out: Path) -> dict[str, Path]:
    return {photo_hash(read_photo_bytes(path)): path for path in (out / "photos").iterdir()}


def _scores(path: Path) -> dict[Path, float]:
    ranking = json.loads(path.read_text())
    return {_absolute(entry["photo"]): entry["score"] for entry in ranking["photos"]}


def _within(out: Path, path: Path) -> str:
    return path.relative_to(_absolute(out)).as_posix()


def _absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100, as labels name photos: no "..", links kept


def _pictures(out: Path, known: Known, window: tuple[int, int, int, int]) -> dict[str, Picture]:
    """Cut the detail from both photos, pixel for pixel, and mark it on a small whole photo."""
    stem = f"pictures/{known.photo[:12]}"
    before, after = (
        Image.fromarray(read_photo(path).pixels) for path in (known.path, known.enhanced)
    )
    scale = THUMBNAIL_SIDE / max(before.size)
    whole = before.resize((round(before.width * scale), round(before.height * scale)))
    ImageDraw.Draw(whole).rectangle([edge * scale for edge in window], outline="white", width=2)
    pictures = {
        "before": (before.crop(window), f"{stem}-before.png"),
        "after": (after.crop(window), f"{stem}-after.png"),
        "whole": (whole, f"{stem}-whole.jpg"),
    }
    for picture, name in pictures.values():
        picture.save(out / name)
    return {key: Picture(name, *picture.size) for key, (picture, name) in pictures.items()}
