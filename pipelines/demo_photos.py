"""What the demo says of single photos: ratings derived from the originals, and cards to look at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, ImageDraw
from skimage.metrics import structural_similarity
from tqdm import tqdm

from pipelines.degrade import RECORD
from pipelines.demo_page import Card
from pipelines.labels import RECIPE_COLUMNS, Recipe, enhanced_file, read_labels
from pipelines.splits import is_held_out
from trigger.files import write_atomically
from trigger.photo import photo_hash, read_photo, read_photo_bytes

Pixels = npt.NDArray[np.uint8]

RATINGS_FILE = "derived-ratings.csv"
RATER = "derived from the original by SSIM, no person"
CROP = (560, 340)
"""Width and height in pixels of the detail that a card shows."""
THUMBNAIL_SIDE = 160


def rating_of(gain: float) -> int:
    """The rating 2, 1, 0 or -1 that a gain of structural similarity (-1..1) stands for."""
    if gain >= 0.10:
        return 2
    if gain >= 0.02:
        return 1
    return 0 if gain > -0.01 else -1


def similarity(original: Pixels, photo: Pixels) -> float:
    """Structural similarity of luminance, at most 1, which means identical.

    With the weights of Wang et al., IEEE TIP 2004, doi:10.1109/TIP.2003.819861.

    Args:
        original, photo: (H, W, 3) uint8 of the same size.
    """
    return float(
        structural_similarity(
            *(np.asarray(Image.fromarray(pixels).convert("L")) for pixels in (original, photo)),
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def derive_ratings(out: Path) -> None:
    """Write OUT/derived-ratings.csv: did enhancement bring each photo closer to its original?"""
    rows = []
    originals = _originals(out)
    known = _photos(out)
    for photo in tqdm(known.itertuples(), "comparing", len(known), unit="photo"):
        original = read_photo(originals[photo.scene]).pixels
        before, after = (
            similarity(original, read_photo(path).pixels) for path in (photo.path, photo.enhanced)
        )
        rows.append(
            {
                "path": Path(photo.path).relative_to(out.absolute()).as_posix(),
                "rating": rating_of(after - before),
                "scene": photo.scene,
                "rater": RATER,
                "enhancer": photo.enhancer,
                "ssim_before": round(before, 4),
                "ssim_enhanced": round(after, 4),
            }
        )
    table = pd.DataFrame(rows)
    write_atomically(out / RATINGS_FILE, table.to_csv(index=False).encode())
    counts = table["rating"].value_counts().sort_index(ascending=False)
    text = ", ".join(f"{count} rated {rating}" for rating, count in counts.items())
    print(f"{RATINGS_FILE}: {text} ({RATER})")  # noqa: T201


def collect_cards(out: Path) -> list[Card]:
    """The held-out photos with all that is known of them; writes their details to OUT/pictures."""
    (out / "pictures").mkdir()
    known = _photos(out)
    ratings = pd.read_csv(out / RATINGS_FILE).assign(
        path=lambda table: [str(out.absolute() / path) for path in table["path"]]
    )
    known = known[known["scene"].map(is_held_out)].merge(
        ratings[["path", "rating", "ssim_before", "ssim_enhanced"]], on="path"
    )
    packaged, own = (_scores(out / f"scores-{name}.json") for name in ("packaged", "demo"))
    originals = _originals(out)
    windows = {
        scene: telling_window(read_photo(originals[scene]).pixels, *CROP)
        for scene in sorted(set(known["scene"]))
    }
    cards = []
    for photo in known.itertuples():
        cards.append(
            Card(
                scene=Path(photo.source).stem.replace("_", " ").capitalize(),
                fault=describe(json.loads(photo.factors)),
                **_pictures(out, photo, windows[photo.scene]),
                photo=_link(out, Path(photo.path)),
                enhanced=_link(out, Path(photo.enhanced)),
                delta=photo.delta,
                rating=photo.rating,
                packaged=packaged[photo.path],
                own=own[photo.path],
            )
        )
    return cards


def telling_window(pixels: Pixels, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the window with the most detail, within the photo.

    Args:
        pixels: (H, W, 3) uint8.
        width, height: of the window; cut to the photo's own where that is smaller.
    """
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    width, height = min(width, gray.shape[1]), min(height, gray.shape[0])
    detail = np.hypot(cv2.Sobel(gray, -1, 1, 0), cv2.Sobel(gray, -1, 0, 1))
    sums = cv2.integral(detail)
    windows = (
        sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width]
        + sums[:-height, :-width]
    )
    top, left = np.unravel_index(int(windows.argmax()), windows.shape)
    return int(left), int(top), int(left) + width, int(top) + height


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


def _photos(out: Path) -> pd.DataFrame:
    """The labels, with source, scene and factors, and where the enhanced photo lies."""
    labels = read_labels(out / "labels")
    record = pd.read_csv(out / "degraded" / RECORD).drop_duplicates("photo")
    labels = labels.merge(record[["photo", "scene", "source", "factors"]], on="photo")
    recipe = Recipe(**labels.loc[0, RECIPE_COLUMNS].to_dict())
    files = [enhanced_file(recipe, photo, "png") for photo in labels["photo"]]
    return labels.assign(enhanced=[str(out.absolute() / "labels" / file) for file in files])


def _originals(out: Path) -> dict[str, Path]:
    return {photo_hash(read_photo_bytes(path)): path for path in (out / "photos").iterdir()}


def _scores(path: Path) -> dict[str, float]:
    ranking = json.loads(path.read_text())
    return {str(Path(entry["photo"]).absolute()): entry["score"] for entry in ranking["photos"]}


def _link(out: Path, path: Path) -> str:
    return quote(path.relative_to(out.absolute()).as_posix())


def _pictures(out: Path, photo: Any, window: tuple[int, int, int, int]) -> dict[str, str]:
    """Cut the detail from both photos, pixel for pixel, and mark it on a small whole photo."""
    names = {name: f"pictures/{photo.photo[:12]}-{name}" for name in ("before", "after", "whole")}
    names = {name: path + (".jpg" if name == "whole" else ".png") for name, path in names.items()}
    before, after = (Image.fromarray(read_photo(path).pixels) for path in (photo.path, photo.enhanced))
    before.crop(window).save(out / names["before"])
    after.crop(window).save(out / names["after"])
    scale = THUMBNAIL_SIDE / max(before.size)
    whole = before.resize((round(before.width * scale), round(before.height * scale)))
    ImageDraw.Draw(whole).rectangle([edge * scale for edge in window], outline="white", width=2)
    whole.save(out / names["whole"], quality=88)
    return names
