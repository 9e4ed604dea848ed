"""Colour photographs as the colorizing network learns them: views of lightness and of chroma.

A view is the photo or a crop of it, squeezed into a square and mirrored or not. What the frozen
trunk says of each view is kept on disk, so that training runs the small decoder alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipelines.data.available import identified
from pipelines.data.disk_array import new_disk_array
from pipelines.data.pixels import Pixels, to_float
from pipelines.data.splits import is_held_out
from pipelines.enhancers.learned.chroma import chroma_square, is_gray, lightness_square
from pipelines.training.enhancers.colorize_network import ColourBins
from pipelines.training.loop import Batches
from trigger.errors import DataError, PhotoError
from trigger.files import make_folder, write_atomically
from trigger.photo import find_photos, photo_hash, read_photo, read_photo_bytes

VIEWS = 6
"""Of each training photo; the first is the whole photo, as the only one of held-out photos."""
LEAST_CROP = 0.6
"""Of height and width, each by itself: squeezed wide photos are distorted too."""
ENOUGH_PIXELS = 512
"""Photos are decoded at a reduced size, but no side smaller than this."""

Values = npt.NDArray[np.float32]


class Views:
    """Views of photos and what the trunk says of them, mapped from files.

    Attributes:
        features: one (n, height, width, channels) float16 array for each tap of the trunk.
        chroma: (n, 64, 64, 2) float16.
        photos: how many photos they are of.
    """

    def __init__(self, folder: Path) -> None:
        """Open what ``make_views`` wrote."""
        taps = sorted(folder.glob("tap-*.npy"))
        self.features = [np.load(tap, mmap_mode="r") for tap in taps]
        self.chroma = np.load(folder / "chroma.npy", mmap_mode="r")
        self.photos = int(json.loads((folder / "views.json").read_text())["photos"])


def split_photos(folders: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Photos to learn from and photos held out; gray ones are sorted out by ``make_views``."""
    sides: tuple[list[Path], list[Path]] = ([], [])
    for path, scene in identified(find_photos(folders)):
        sides[is_held_out(scene)].append(path)
    return sides


def make_views(paths: Sequence[Path], views: int, trunk: keras.Model, folder: Path) -> Views:
    """Views of photos, and what the trunk says of them; from the folder where it has them.

    Gray and unreadable photos are left out.

    Raises:
        DataError: no colour photo is among them.
    """
    done = folder / "views.json"
    digest = hashlib.sha256(f"{views} {[str(path) for path in paths]}".encode()).hexdigest()
    if done.exists() and json.loads(done.read_text())["of"] == digest:
        return Views(folder)
    make_folder(folder)
    done.unlink(missing_ok=True)
    with ThreadPoolExecutor(2) as pool:
        read = pool.map(lambda path: _squares(path, views), paths)
        squares = [
            square
            for square in tqdm(read, "reading", len(paths), unit="photo", disable=None)
            if square is not None
        ]
    if not squares:
        raise DataError(f"none of {len(paths)} photos has colours; name folders of colour photos")
    lightness = np.concatenate([square[0] for square in squares])
    np.save(folder / "chroma.npy", np.concatenate([square[1] for square in squares]))
    files = [
        new_disk_array(folder / f"tap-{tap}.npy", np.float16, (len(lightness), *shape[1:]))
        for tap, shape in enumerate(trunk.output_shape)
    ]
    for start in tqdm(range(0, len(lightness), 16), "features", disable=None):
        for file, values in zip(
            files, trunk(lightness[start : start + 16], training=False), strict=True
        ):
            file[start : start + 16] = np.asarray(values)
    for file in files:
        file.flush()
    write_atomically(done, json.dumps({"of": digest, "photos": len(squares)}).encode())
    return Views(folder)


class ViewBatches(Batches):
    """Shuffled batches of what the trunk says and of the colours that are right."""

    def __init__(self, views: Views, bins: ColourBins, batch_size: int, seed: int) -> None:
        """Describe the batches; ``seed`` is that of their order."""
        super().__init__()
        self._views, self._bins = views, bins
        self._batch_size, self._seed = batch_size, seed
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:  # noqa: D102
        rng = np.random.default_rng([self._seed, epoch])
        self._order = rng.permutation(len(self._views.chroma))

    def fingerprint(self) -> dict[str, object]:  # noqa: D102
        return {
            "batch size": self._batch_size,
            "seed": self._seed,
            "photos": self._views.photos,
            "views": len(self._views.chroma),
            "colour bins": self._bins.centres.tolist(),
        }

    def __len__(self) -> int:
        return -(-len(self._order) // self._batch_size)

    def __getitem__(self, batch: int) -> tuple[tuple[Values, ...], Values]:
        rows = np.sort(self._order[batch * self._batch_size : (batch + 1) * self._batch_size])
        features = tuple(tap[rows].astype(np.float32) for tap in self._views.features)
        return features, self._bins.targets(self._views.chroma[rows].astype(np.float32))


def _squares(path: Path, views: int) -> tuple[Pixels, npt.NDArray[np.float16]] | None:
    """Lightness and chroma of the views of a photo; None where it has no colours to learn."""
    try:
        data = read_photo_bytes(path)
        pixels = read_photo(data, at_least=ENOUGH_PIXELS).pixels
    except PhotoError:
        return None
    if is_gray(to_float(pixels)):
        return None
    seed = int(photo_hash(data)[:8], 16)
    crops = [to_float(crop) for crop in _crops(pixels, views, np.random.default_rng(seed))]
    lightness = np.stack([lightness_square(crop) for crop in crops])
    return lightness, np.stack([chroma_square(crop) for crop in crops]).astype(np.float16)


def _crops(pixels: Pixels, views: int, rng: np.random.Generator) -> Iterator[Pixels]:
    yield pixels
    for view in range(1, views):
        size = [round(side * rng.uniform(LEAST_CROP, 1)) for side in pixels.shape[:2]]
        top, left = (
            int(rng.integers(0, whole - part + 1))
            for whole, part in zip(pixels.shape[:2], size, strict=True)
        )
        crop = pixels[top : top + size[0], left : left + size[1]]
        yield crop[:, ::-1] if view % 2 else crop
