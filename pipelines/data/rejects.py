"""Tables of the photos that could not be labelled, one CSV file per shard."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields, replace

import pandas as pd

from pipelines.data.storage import Folder, as_folder
from pipelines.data.tables import csv_bytes, open_csv
from trigger.errors import DataError

logger = logging.getLogger(__name__)

MAX_MESSAGE_CHARS = 2000


@dataclass(frozen=True)
class Reject:
    """A label that could not be made.

    Attributes:
        photo: hash; "" if the photo could not be read.
        path: where it was read.
        enhancer: whose label is missing; "" for every enhancer's.
        reason: a short stable word.
        message: what happened, for people.
    """

    photo: str
    path: str
    enhancer: str
    reason: str
    message: str


REJECT_COLUMNS = [field.name for field in fields(Reject)]


def storable(text: str) -> str:
    r"""Text that fits UTF-8: bytes of a file name that are not UTF-8 become ``\udcXX``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def reject_file(shard: str) -> str:
    """Name of a shard's rejects within LABELS."""
    return f"rejects/{shard}.csv"


def write_rejects(
    folder: str | os.PathLike[str] | Folder, shard: str, rejects: Iterable[Reject]
) -> None:
    """Write the rejects of one shard."""
    # The beginning of a message that is a whole traceback will do; readers take 131,072 characters.
    cut = (replace(reject, message=reject.message[:MAX_MESSAGE_CHARS]) for reject in rejects)
    rows = [[storable(text) for text in astuple(reject)] for reject in cut]
    as_folder(folder).write(reject_file(shard), csv_bytes(REJECT_COLUMNS, rows))


def read_rejects(folder: str | os.PathLike[str] | Folder) -> pd.DataFrame:
    """What the last run could not label, by ``REJECT_COLUMNS``, sorted by reason and path.

    Example:
        >>> read_rejects("labels")["reason"].value_counts()  # doctest: +SKIP
    """
    place = as_folder(folder)
    rows = [
        row
        for name in place.names("rejects", ".csv")
        for row in read_shard_rejects(place, name.removesuffix(".csv"))
    ]
    return pd.DataFrame(rows, columns=REJECT_COLUMNS).sort_values(
        ["reason", "path", "enhancer"], ignore_index=True
    )


def read_shard_rejects(folder: Folder, shard: str) -> list[dict[str, str]]:
    """The rejects of one shard; none, with a warning, where its file holds something else."""
    name = reject_file(shard)
    try:
        content = folder.read(name)
    except FileNotFoundError:
        return []
    try:
        table = open_csv(io.BytesIO(content), folder.at(name))
        if table.header != REJECT_COLUMNS:
            raise DataError(f"{folder.at(name)} has the columns {', '.join(table.header)}")
        rows = [cells for _, cells in table.rows]
    except (DataError, OSError) as error:
        logger.warning(
            "%s; it is not a table of rejects and is ignored, as the next run of trigger label "
            "tries all rejects again: delete it",
            error,
        )
        return []
    width = len(REJECT_COLUMNS)
    return [dict(zip(REJECT_COLUMNS, cells, strict=True)) for cells in rows if len(cells) == width]
