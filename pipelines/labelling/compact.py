"""``trigger label compact``: few large files of labels instead of many small ones."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from pipelines.data.labels import label_bytes, label_file, open_labels, read_table
from pipelines.data.lock import exclusive
from pipelines.data.storage import Folder
from trigger.errors import DataError

ROWS_PER_FILE = 100_000


@dataclass(frozen=True)
class Compaction:
    """What was done: labels, files before and after, temporary files removed."""

    labels: int
    files_before: int
    files_after: int
    temporaries: int


def compact_labels(folder: str | os.PathLike[str]) -> Compaction:
    """Merge label files, sorted by photo; the set of labels stays the same.

    Also removes temporary files that killed processes left behind. It may be killed itself: the
    merged files are written first, and a label that is in two files counts once.

    Raises:
        LockedError: a run is writing to the folder.
        DataError: it is not a labels folder, its last run is unfinished, a file is damaged, or
            the disk is full.
    """
    out, _ = open_labels(folder)
    with exclusive(out):
        _, run = open_labels(folder)
        if run["state"] != "finished":
            raise DataError(
                f"{folder}: the last run was stopped before its end; run the same trigger label "
                "command again, then compact"
            )
        before = out.names("labels", ".parquet")
        rows = read_table(out)
        after = []
        for start in range(0, rows.num_rows, ROWS_PER_FILE):
            # The slice starts at an offset, and Parquet of the same rows must be the same bytes.
            part = rows.slice(start, ROWS_PER_FILE).combine_chunks()
            data = label_bytes(part)
            name = f"{hashlib.sha256(data).hexdigest()[:20]}-{part.num_rows}"
            out.write(label_file(name), data)
            after.append(f"{name}.parquet")
        out.delete(f"labels/{name}" for name in before if name not in after)
        return Compaction(rows.num_rows, len(before), len(after), _tidy(out))


def _tidy(out: Folder) -> int:
    """Remove what killed processes left half-written; object stores have no such files."""
    if not out.is_local:
        return 0
    orphans = [path for path in Path(out.location).rglob(".*.tmp") if path.is_file()]
    for path in orphans:
        path.unlink(missing_ok=True)
    return len(orphans)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options of ``trigger label compact``."""
    parser.description = (
        "Merge the small label files of many shards and runs into few large ones and remove "
        "temporary files of killed runs. The set of labels stays the same."
    )
    parser.add_argument("labels", metavar="LABELS", help="labels folder or URL")


def run(args: argparse.Namespace) -> int:
    """Run ``trigger label compact``."""
    done = compact_labels(args.labels)
    sys.stdout.write(
        f"{done.labels} labels in {done.files_before} files -> {done.files_after} files; "
        f"{done.temporaries} temporary files removed\n"
    )
    return 0
