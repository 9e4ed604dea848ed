"""Progress of labelling, seen from the files that workers have finished."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pipelines.data.storage import Folder
from pipelines.labelling.plan import photos_in
from trigger.console.progress import progress
from trigger.errors import DataError


@contextmanager
def shards_watched(out: Folder, shards: Sequence[str], shown: bool) -> Iterator[None]:
    """Draw how many photos of the shards are labelled, for as long as the block lasts."""
    waiting, ended = set(shards), threading.Event()
    pause = 0.5 if out.is_local else 20.0  # listing an object store costs money

    def watch() -> None:
        finished = False
        while not finished:
            finished = ended.wait(pause)
            try:
                names = {name.removesuffix(".parquet") for name in out.names("labels", ".parquet")}
            except DataError:  # the run itself reports it
                continue
            bar.update(sum(photos_in(name) for name in waiting & names))
            waiting.difference_update(names)

    with progress((), "labelling", total=sum(map(photos_in, shards)), shown=shown) as bar:
        if bar.disable:
            yield
            return
        watcher = threading.Thread(target=watch, name="progress", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
