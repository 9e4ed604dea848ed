"""Training data of the colorization network: lightness and chroma of views of color photos.

A view is the photo or a crop of it, resized to a square and possibly mirrored. The features of the
frozen trunk are cached on disk, so that training runs the small decoder alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from pipelines.data.available import with_hashes
from pipelines.data.disk_array import new_disk_array
from pipelines.data.pixels import Pixels, to_float
from pipelines.data.splits import is_held_out
from pipelines.enhancers.learned.chroma import chroma_square, is_gray, lightness_square
from pipelines.training.batches import Batches
from pipelines.training.enhancers.colorize_network import ColorBins
from trigger.console.progress import progress
from trigger.errors import DataError, PhotoError
from trigger.files import make_folder, write_atomically
from trigger.photo import find_photos, photo_hash, read_photo, read_photo_bytes
from trigger.threads import default_workers, map_in_order

VIEWS = 6
"""Views of each training photo; the first is the whole photo, the only view of held-out photos."""
MIN_CROP = 0.6
"""Smallest share of height and of width; resizing to a square distorts wide photos alike."""
DECODED_SIDE = 512
"""Photos may be decoded at a reduced size, with sides of at least this many pixels."""

Values = npt.NDArray[np.float32]


class Views:
    """Features and chroma of views, mapped from files.

    Attributes:
        features: one (n, height, width, channels) float16 array for each tap of the trunk.
        chroma: (n, 64, 64, 2) float16.
        photos: number of photos.
    """

    def __init__(self, folder: Path) -> None:
        """Open what ``make_views`` wrote."""
        taps = sorted(folder.glob("tap-*.npy"))
        self.features = [np.load(tap, mmap_mode="r") for tap in taps]
        self.chroma = np.load(folder / "chroma.npy", mmap_mode="r")
        self.photos = int(json.loads((folder / "views.json").read_text())["photos"])


def split_photos(folders: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Split photos into those to train on and those held out, by content hash."""
    sides: tuple[list[Path], list[Path]] = ([], [])
    for path, scene in with_hashes(find_photos(folders)):
        sides[is_held_out(scene)].append(path)
    return sides


def make_views(
    paths: Sequence[Path],
    views: int,
    trunk: keras.Model,
    folder: Path,
    *,
    show_progress: bool = False,
) -> Views:
    """Compute features and chroma of views, or open those of the same photos in the folder.

    Gray and unreadable photos are skipped.

    Args:
        paths: photos.
        views: of each photo.
        trunk: what ``build_trunk`` returns.
        folder: for the arrays; made if it does not exist.
        show_progress: draw progress bars on stderr if that is a terminal.

    Raises:
        DataError: none of the photos has colors.
    """
    done = folder / "views.json"
    digest = hashlib.sha256(f"{views} {[str(path) for path in paths]}".encode()).hexdigest()
    if done.exists() and json.loads(done.read_text())["of"] == digest:
        return Views(folder)
    make_folder(folder)
    done.unlink(missing_ok=True)
    read = map_in_order(lambda path: _squares(path, views), paths, default_workers())
    bar = progress(read, "reading", total=len(paths), shown=show_progress)
    squares = [square for square in bar if square is not None]
    if not squares:
        raise DataError(f"none of {len(paths)} photos has colors; name folders of color photos")
    lightness = np.concatenate([square[0] for square in squares])
    np.save(folder / "chroma.npy", np.concatenate([square[1] for square in squares]))
    files = [
        new_disk_array(folder / f"tap-{tap}.npy", np.float16, (len(lightness), *shape[1:]))
        for tap, shape in enumerate(trunk.output_shape)
    ]
    slices = [slice(start, start + 16) for start in range(0, len(lightness), 16)]
    for part in progress(slices, "features", unit="batches", shown=show_progress):
        for file, values in zip(files, trunk(lightness[part], training=False), strict=True):
            file[part] = np.asarray(values)
    for file in files:
        file.flush()
    write_atomically(done, json.dumps({"of": digest, "photos": len(squares)}).encode())
    return Views(folder)


class ViewBatches(Batches):
    """Shuffled batches of trunk features and soft labels of colors."""

    def __init__(self, views: Views, bins: ColorBins, batch_size: int, seed: int) -> None:
        """Describe the batches; ``seed`` determines their order."""
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
            "color bins": self._bins.centers.tolist(),
        }

    def __len__(self) -> int:
        return -(-len(self._order) // self._batch_size)

    def __getitem__(self, batch: int) -> tuple[tuple[Values, ...], Values]:
        rows = np.sort(self._order[batch * self._batch_size : (batch + 1) * self._batch_size])
        features = tuple(tap[rows].astype(np.float32) for tap in self._views.features)
        return features, self._bins.targets(self._views.chroma[rows].astype(np.float32))


def _squares(path: Path, views: int) -> tuple[Pixels, npt.NDArray[np.float16]] | None:
    """Lightness and chroma of the views of a photo; None if it is gray or unreadable."""
    try:
        data = read_photo_bytes(path)
        pixels = read_photo(data, at_least=DECODED_SIDE).pixels
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
        size = [round(side * rng.uniform(MIN_CROP, 1)) for side in pixels.shape[:2]]
        top, left = (
            int(rng.integers(0, whole - part + 1))
            for whole, part in zip(pixels.shape[:2], size, strict=True)
        )
        crop = pixels[top : top + size[0], left : left + size[1]]
        yield crop[:, ::-1] if view % 2 else crop
