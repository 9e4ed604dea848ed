"""Plan a run: hash every photo and group those without a label into shards.

Photos are streamed; only the 32 bytes of each hash stay in memory. Each shard is a file
(``plan/<shard>.json``), and the engine is given only its name, which is a hash of its content.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pipelines.data.label_files import label_file, labelled_photos
from pipelines.data.label_schema import Recipe
from pipelines.data.rejects import Reject, write_rejects
from pipelines.data.storage import Folder, read_photo_file
from trigger.errors import DataError, PhotoError
from trigger.photo import photo_hash
from trigger.threads import map_in_order

MAX_SHARD_SIZE = 64
SHARDS_PER_WORKER = 8
_REJECTS_PER_FILE = 1000
_READERS = 4
_SEEN = 1


@dataclass(frozen=True)
class Shard:
    """Photos that are labelled together.

    Attributes:
        name: name of its files, without the extension.
        enhancers: names of the enhancers whose labels the photos lack.
        photos: (hash, location) of each photo.
    """

    name: str
    enhancers: tuple[str, ...]
    photos: tuple[tuple[str, str], ...]


@dataclass
class Plan:
    """Numbers of photos by what is to be done with them, and the shards to label.

    Attributes:
        photos: all photos: to label, labelled already, duplicates and unreadable.
        already: photos that have all labels of this run.
        duplicates: photos with the same content as an earlier one.
        unreadable: photos that cannot be read, by reason.
        todo: labels to make, by enhancer.
        todo_photos: photos that lack a label.
        shards: names of the shards of these photos.
    """

    photos: int = 0
    already: int = 0
    duplicates: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    todo: Counter[str] = field(default_factory=Counter)
    todo_photos: int = 0
    shards: list[str] = field(default_factory=list)


def plan_file(shard: str) -> str:
    """Name of a shard's list of photos within LABELS."""
    return f"plan/{shard}.json"


def photos_in(name: str) -> int:
    """Return the number of photos in a shard, which is the last part of its name."""
    return int(name.rpartition("-")[2])


def make_shard(recipes: Sequence[Recipe], photos: Sequence[tuple[str, str]]) -> Shard:
    """Return the shard of these photos; the same photos and recipes give the same name."""
    content = json.dumps([[str(recipe) for recipe in recipes], list(photos)])
    digest = hashlib.sha256(content.encode()).hexdigest()[:20]
    enhancers = tuple(recipe.enhancer for recipe in recipes)
    return Shard(f"{digest}-{len(photos)}", enhancers, tuple(photos))


def read_plan(folder: Folder, shard: str) -> Shard:
    """Read a shard that ``make_plan`` wrote.

    Raises:
        DataError: the folder or the file is gone.
    """
    try:
        content = json.loads(folder.read(plan_file(shard)))
    except OSError as error:
        folder.require()
        raise DataError(
            f"{folder.at(plan_file(shard))}: cannot be read ({error}); something other than this "
            "job changes the folder"
        ) from error
    photos = tuple((photo, path) for photo, path in content["photos"])
    return Shard(shard, tuple(content["enhancers"]), photos)


def make_plan(
    paths: Iterable[str],
    recipes: Sequence[Recipe],
    folder: Folder,
    size: int | None,
    workers: int,
    *,
    dry: bool,
) -> Plan:
    """Hash photos and write the shards of those that lack a label.

    Only the first of several photos with the same content is labelled. Rejects of an earlier run
    are tried again.

    Args:
        paths: absolute locations of photos.
        recipes: the labels every photo shall have; one per enhancer.
        folder: where labels are; it need not exist in a dry run.
        size: photos per shard; None: up to ``MAX_SHARD_SIZE``, fewer where a worker would
            otherwise get less than ``SHARDS_PER_WORKER`` shards.
        workers: number of processes that label.
        dry: whether to write nothing.

    Raises:
        DataError: the folder cannot be read or written.
    """
    plan = Plan()
    writer = _ShardWriter(plan, folder, recipes, size, workers, dry)
    # State of each photo by its hash. Bit 0: it was listed in this run; bit i + 1: it has label i.
    known: dict[bytes, int] = {}
    for number, recipe in enumerate(recipes):
        for photo in labelled_photos(folder, recipe):
            digest = bytes.fromhex(photo)
            known[digest] = known.get(digest, 0) | 2 << number
    complete = (2 << len(recipes)) - 2
    for path, identity in _identify(paths):
        plan.photos += 1
        if isinstance(identity, PhotoError):
            writer.reject(Reject("", path, "", identity.reason, identity.message))
            continue
        digest = bytes.fromhex(identity)
        state = known.get(digest, 0)
        known[digest] = state | _SEEN
        if state & _SEEN:
            plan.duplicates += 1
        elif state == complete:
            plan.already += 1
        else:
            writer.add(complete & ~state, identity, path)
    writer.finish()
    return plan


class _ShardWriter:
    """Collects photos that lack the same labels and writes them in shards."""

    def __init__(
        self,
        plan: Plan,
        folder: Folder,
        recipes: Sequence[Recipe],
        size: int | None,
        workers: int,
        dry: bool,
    ) -> None:
        self._plan, self._folder, self._recipes, self._dry = plan, folder, recipes, dry
        self._size, self._least = size, workers * SHARDS_PER_WORKER
        self._pending: dict[int, list[tuple[str, str]]] = {}
        self._rejects: list[Reject] = []
        self._labelled = set(folder.names("labels", ".parquet"))

    def add(self, lacking: int, photo: str, path: str) -> None:
        photos = self._pending.setdefault(lacking, [])
        photos.append((photo, path))
        # Enough to fill a whole round of large shards: how many more come no longer matters.
        if len(photos) == (self._size or MAX_SHARD_SIZE) * self._least:
            self._write(lacking, self._size or MAX_SHARD_SIZE)

    def reject(self, reject: Reject) -> None:
        self._plan.unreadable[reject.reason] += 1
        self._rejects.append(reject)
        if len(self._rejects) == _REJECTS_PER_FILE:
            self._write_rejects()

    def finish(self) -> None:
        for lacking, photos in self._pending.items():
            fair = max(1, -(-len(photos) // self._least))
            self._write(lacking, self._size or min(MAX_SHARD_SIZE, fair))
        if self._rejects:
            self._write_rejects()

    def _write(self, lacking: int, size: int) -> None:
        photos = self._pending[lacking]
        recipes = [r for number, r in enumerate(self._recipes) if lacking >> (number + 1) & 1]
        for start in range(0, len(photos), size):
            shard = make_shard(recipes, photos[start : start + size])
            self._plan.shards.append(shard.name)
            self._plan.todo_photos += len(shard.photos)
            self._plan.todo.update(dict.fromkeys(shard.enhancers, len(shard.photos)))
            if not self._dry:
                # A shard of rejects only is planned again under the same name.
                if f"{shard.name}.parquet" in self._labelled:
                    self._folder.delete([label_file(shard.name)])
                content = {"enhancers": shard.enhancers, "photos": shard.photos}
                self._folder.write(plan_file(shard.name), json.dumps(content).encode())
        photos.clear()

    def _write_rejects(self) -> None:
        rejects = [(reject.photo, reject.path) for reject in self._rejects]
        if not self._dry:
            write_rejects(self._folder, make_shard([], rejects).name, self._rejects)
        self._rejects.clear()


def _identify(paths: Iterable[str]) -> Iterator[tuple[str, str | PhotoError]]:
    """Yield (path, hash or reading error) in order; a few files are read at a time."""

    def identify(path: str) -> tuple[str, str | PhotoError]:
        try:
            return path, photo_hash(read_photo_file(path))
        except PhotoError as error:
            return path, error

    return map_in_order(identify, paths, _READERS)
