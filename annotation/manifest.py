"""The pairs folder: its manifest, and pictures named by the hash of their content.

    PAIRS/
      manifest.json               every pair with the hashes of its pictures
      images/ab/<sha256>.jpg      what raters see
      ratings.sqlite              their answers; made by trigger annotate

The manifest is written last: a folder without one is not finished.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from pipelines.ratings.table import SENTINELS
from trigger.errors import DataError
from trigger.files import write_atomically
from trigger.markers import PAIRS_KIND, PAIRS_RECORD

KIND = PAIRS_KIND
FORMAT = 1
MANIFEST_FILE = PAIRS_RECORD
RATINGS_FILE = "ratings.sqlite"
_PICTURE_NAME = re.compile(r"[0-9a-f]{64}\.(jpg|png)")


@dataclass(frozen=True)
class Picture:
    """A picture file: ``<sha256>.<extension>``, and its size in pixels."""

    name: str
    width: int
    height: int

    def __post_init__(self) -> None:
        if not _PICTURE_NAME.fullmatch(self.name):  # it becomes part of a path
            raise ValueError(f"picture name is {self.name!r}")

    @property
    def file(self) -> str:
        """Where it is within PAIRS."""
        return f"images/{self.name[:2]}/{self.name}"


@dataclass(frozen=True)
class Side:
    """One of the two photos of a pair.

    Attributes:
        display: the whole photo, small enough for a screen.
        crop: a part of the photo at full resolution, lossless; see ``Pair.crop``.
        full: the whole photo at full resolution; None where ``display`` is that already.
    """

    display: Picture
    crop: Picture
    full: Picture | None

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """All its pictures."""
        return (self.display, self.crop, *([self.full] if self.full else []))


@dataclass(frozen=True)
class Pair:
    """Two photos to compare.

    Attributes:
        pair: its name, which does not reveal what it shows.
        photo: SHA-256 of the photo before enhancement, as file.
        path: where that photo was read.
        scene: what the photo was made from; photos of one scene show the same.
        enhancer: name-version of what made the photo after.
        delta: what the scorer measured; None for sentinels.
        sentinel: "", or what kind of pair with a known answer it is.
        repeat: whether it is shown a second time.
        width: of the photo, in pixels.
        height: of the photo, in pixels.
        crop: (left, top) of the crops, where enhancement changed the photo most.
        before: the photo as it was.
        after: the photo enhanced.
    """

    pair: str
    photo: str
    path: str
    scene: str
    enhancer: str
    delta: float | None
    sentinel: str
    repeat: bool
    width: int
    height: int
    crop: tuple[int, int]
    before: Side
    after: Side

    def __post_init__(self) -> None:
        if self.sentinel not in ("", *SENTINELS):
            raise ValueError(f"sentinel is {self.sentinel!r}")


@dataclass(frozen=True)
class Choice:
    """How the pairs of a folder were chosen.

    Attributes:
        labels: path of the labels folder.
        n, threshold, sentinels, repeats, seed: see ``PairOptions``.
    """

    labels: str
    n: int
    threshold: float
    sentinels: float
    repeats: float
    seed: int


@dataclass(frozen=True)
class Manifest:
    """All pairs of a folder, and how they were chosen."""

    created: str
    options: Choice
    pairs: tuple[Pair, ...]

    @property
    def name(self) -> str:
        """Identifies this set of pairs: 16 hexadecimal digits."""
        names = "\n".join(pair.pair for pair in self.pairs)
        return hashlib.sha256(f"{self.created}\n{names}".encode()).hexdigest()[:16]

    @property
    def pictures(self) -> dict[str, Picture]:
        """Every picture by its name."""
        return {
            picture.name: picture
            for pair in self.pairs
            for side in (pair.before, pair.after)
            for picture in side.pictures
        }


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write PAIRS/manifest.json."""
    content = {"kind": KIND, "format": FORMAT, **asdict(manifest)}
    write_atomically(folder / MANIFEST_FILE, (json.dumps(content, indent=1) + "\n").encode())


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a pairs folder.

    Raises:
        DataError: it is not a pairs folder, or the manifest is damaged.
    """
    path = folder / MANIFEST_FILE
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(
            f"{folder} is not a finished pairs folder (no {MANIFEST_FILE}: {error.strerror}); make "
            "one with: trigger pairs make LABELS --out PAIRS"
        ) from error
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}); make the pairs again") from error
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise DataError(f"{path}: not written by trigger pairs")
    if content.get("format") != FORMAT:
        raise DataError(
            f"{path}: has format {content.get('format')!r}, this version reads {FORMAT}; "
            f"make the pairs again"
        )
    try:
        manifest = msgspec.convert(content, Manifest)
    except msgspec.ValidationError as error:
        raise DataError(f"{path}: damaged ({error}); make the pairs again") from error
    if len({pair.pair for pair in manifest.pairs}) != len(manifest.pairs) or not manifest.pairs:
        raise DataError(f"{path}: holds no pairs, or a pair twice; make the pairs again")
    return manifest


def check_pictures(folder: Path, manifest: Manifest) -> None:
    """Check that all pictures of a pairs folder exist.

    Raises:
        DataError: some are missing.
    """
    missing = [p.file for p in manifest.pictures.values() if not (folder / p.file).is_file()]
    if missing:
        raise DataError(
            f"{folder}: {len(missing)} pictures are missing, first {missing[0]}; restore them from "
            f"a backup. The ratings can still be exported: trigger ratings export {folder} --out "
            "ratings.csv"
        )


def read_picture(folder: Path, picture: Picture) -> bytes:
    """Return the content of a picture, checked against its name.

    Raises:
        DataError: it is gone or has been changed.
    """
    path = folder / picture.file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != picture.name.partition(".")[0]:
        raise DataError(f"{path}: differs from the manifest; restore it from a backup")
    return data
