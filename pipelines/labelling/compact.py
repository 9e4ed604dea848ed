"""Merge many small label files into a few large ones."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from pipelines.data.label_files import label_bytes, label_file, read_table, unusable_files
from pipelines.data.label_run import read_run
from pipelines.data.labels import open_labels
from pipelines.data.lock import exclusive
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

    The same labels give the same files, byte for byte, however they were made. Also removes
    temporary files that killed processes left behind. It may be killed itself: the merged files
    are written first, and a label that is in two files counts once. A file that holds anything but
    labels stays.

    Raises:
        LockedError: a run is writing to the folder.
        DataError: it is not a labels folder, its last run is unfinished, a file is damaged, or
            the disk is full.

    Example:
        >>> compact_labels("labels").files_after  # doctest: +SKIP
        1
    """
    out = open_labels(folder)
    with exclusive(out):
        if read_run(out).state != "finished":
            raise DataError(
                f"{folder}: the last run was stopped before its end; run the same trigger label "
                "command again, then compact"
            )
        foreign = set(unusable_files(out))
        before = [name for name in out.names("labels", ".parquet") if name not in foreign]
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
        return Compaction(rows.num_rows, len(before), len(after), out.delete_temporaries())
