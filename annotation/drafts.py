"""Make single pairs: read a photo before and after enhancement, and write their pictures."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from PIL import Image

from annotation.manifest import Pair
from annotation.pictures import degrade_strongly, render
from trigger.errors import PhotoError
from trigger.files import make_folder, write_atomically
from trigger.photo import read_photo, read_same_photo

SENTINEL_ENHANCER = "sentinel"


@dataclass(frozen=True)
class Draft:
    """A pair to make.

    Attributes:
        photo: hash of the photo before.
        path: where it is.
        scene: what it shows.
        enhancer: NAME-VERSION, or "sentinel".
        enhanced: path of the enhanced copy.
        delta: label of the pair; None for sentinels.
        sentinel: "bad", "identical" or "good"; "" for other pairs.
        repeat: whether the pair is shown twice.
    """

    photo: str
    path: str
    scene: str
    enhancer: str
    enhanced: str
    delta: float | None
    sentinel: str
    repeat: bool


def draft_of(label: pd.Series, *, sentinel: str = "", repeat: bool = False) -> Draft:
    """Draft the pair of a label.

    Args:
        label: a row of labels, with the columns ``scene`` and ``enhanced``.
        sentinel: "bad", "identical" or "good" for a pair with a known answer.
        repeat: whether the pair is shown twice.
    """
    return Draft(
        photo=label["photo"],
        path=label["path"],
        scene=label["scene"],
        enhancer=SENTINEL_ENHANCER if sentinel else label["enhancer"],
        enhanced=label["enhanced"],
        delta=None if sentinel else round(float(label["delta"]), 4),
        sentinel=sentinel,
        repeat=repeat,
    )


def make_pair(out: Path, draft: Draft) -> Pair | PhotoError:
    """Write the pictures of a pair; return the error where a photo of it cannot be used.

    Args:
        out: PAIRS.
        draft: the pair.
    """
    try:
        before, after = _photos(draft)
    except PhotoError as error:
        return error
    rendered = render(before, after)
    for picture, data in rendered.files.items():
        path = out / picture.file
        make_folder(path.parent)
        write_atomically(path, data)
    name = f"{draft.photo}\0{draft.enhancer}\0{draft.sentinel}"
    return Pair(
        pair=hashlib.sha256(name.encode()).hexdigest()[:16],
        photo=draft.photo,
        path=draft.path,
        scene=draft.scene,
        enhancer=draft.enhancer,
        delta=draft.delta,
        sentinel=draft.sentinel,
        repeat=draft.repeat,
        width=before.width,
        height=before.height,
        crop=rendered.crop,
        before=rendered.before,
        after=rendered.after,
    )


def _photos(draft: Draft) -> tuple[Image.Image, Image.Image]:
    """Return the photos before and after."""
    photo = read_photo(read_same_photo(draft.path, draft.photo), name=draft.path).image
    if draft.sentinel:
        degraded = photo if draft.sentinel == "identical" else degrade_strongly(photo)
        return (photo, degraded) if draft.sentinel == "bad" else (degraded, photo)
    enhanced = read_photo(draft.enhanced).image
    if enhanced.size != photo.size:
        raise PhotoError(
            "corrupt",
            draft.enhanced,
            f"has {enhanced.size} pixels, the photo before has {photo.size}; label it again",
        )
    return photo, enhanced
