"""The labels folder: where everything is, and how it is written and read.

    LABELS/
      run.json                                  the last run: counts, versions, options, seconds
      deltas.png                                histogram of all deltas
      labels/<shard>.parquet                    one row per labelled photo, ``LABEL_SCHEMA``
      rejects/<shard>.csv                       photos the last run could not label, and why
      enhanced/<enhancer>-<version>/ab/<hash>.png

Files appear whole or not at all.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet as pq

from trigger.errors import DataError, OptionError
from trigger.files import write_atomically

KIND = "trigger labels"
RUN_FILE = "run.json"
BINS = 10

LABEL_SCHEMA = pa.schema(
    [
        pa.field("photo", pa.string(), nullable=False),  # SHA-256 of the file's content, hex
        pa.field("path", pa.string(), nullable=False),  # absolute, where the photo was read
        pa.field("width", pa.int32(), nullable=False),  # pixels, upright
        pa.field("height", pa.int32(), nullable=False),
        pa.field("input_score", pa.float32(), nullable=False),  # 1..10
        pa.field("input_distribution", pa.list_(pa.float32(), BINS), nullable=False),
        pa.field("enhanced_score", pa.float32(), nullable=False),  # 1..10
        pa.field("delta", pa.float32(), nullable=False),  # enhanced_score - input_score
        pa.field("enhancer", pa.string(), nullable=False),
        pa.field("enhancer_version", pa.string(), nullable=False),
        pa.field("scorer", pa.string(), nullable=False),
        pa.field("scorer_version", pa.string(), nullable=False),
        pa.field("preprocessing", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Recipe:
    """What a label depends on besides its photo; labels of two recipes never mix."""

    enhancer: str
    enhancer_version: str
    scorer: str
    scorer_version: str
    preprocessing: str

    def __post_init__(self) -> None:
        for field, value in asdict(self).items():
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", value):
                raise OptionError(
                    f"{field} is {value!r}; it becomes part of file names, so it may hold letters, "
                    "digits and . _ + - and starts with a letter or digit"
                )

    def __str__(self) -> str:
        return (
            f"{self.enhancer} {self.enhancer_version}, {self.scorer} {self.scorer_version}, "
            f"{self.preprocessing}"
        )


RECIPE_COLUMNS = [field.name for field in fields(Recipe)]


@dataclass(frozen=True)
class Reject:
    """A photo that got no label: its hash ("" if it could not be read), path, and why."""

    photo: str
    path: str
    reason: str
    message: str


REJECT_COLUMNS = [field.name for field in fields(Reject)]


def storable(text: str) -> str:
    r"""Text that fits UTF-8: bytes of a file name that are not UTF-8 become ``\udcXX``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def write_file(folder: Path, name: str, data: bytes) -> None:
    """Write LABELS/``name`` whole or not at all, replacing what was there."""
    target = folder / name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{target.parent}: cannot be made ({error.strerror})") from error
    write_atomically(target, data)


def label_file(shard: str) -> str:
    """Name of a shard's labels within LABELS; it is written last and marks the shard as done."""
    return f"labels/{shard}.parquet"


def reject_file(shard: str) -> str:
    """Name of a shard's rejects within LABELS."""
    return f"rejects/{shard}.csv"


def enhanced_file(recipe: Recipe, photo: str, extension: str) -> str:
    """Name of the enhanced copy of a photo within LABELS."""
    return f"enhanced/{recipe.enhancer}-{recipe.enhancer_version}/{photo[:2]}/{photo}.{extension}"


def write_labels(folder: Path, shard: str, rows: Sequence[dict[str, Any]]) -> None:
    """Write the labels of one shard; the same rows give the same bytes."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), LABEL_SCHEMA), buffer)
    write_file(folder, label_file(shard), buffer.getvalue())


def write_rejects(folder: Path, shard: str, rejects: Iterable[Reject]) -> None:
    """Write the rejects of one shard."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(REJECT_COLUMNS)
    writer.writerows([storable(text) for text in astuple(reject)] for reject in rejects)
    write_file(folder, reject_file(shard), buffer.getvalue().encode())


def read_run(folder: Path) -> dict[str, Any] | None:
    """The content of LABELS/run.json, or None where the folder is no labels folder."""
    try:
        run = json.loads((folder / RUN_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return run if isinstance(run, dict) and run.get("kind") == KIND else None


def read_labels(folder: str | Path, recipe: Recipe | None = None) -> pd.DataFrame:
    """All labels of a folder, one row per photo, sorted by photo.

    Args:
        folder: what ``trigger label --out`` wrote.
        recipe: only labels made this way; needed where the folder holds several recipes.

    Returns:
        The columns of ``LABEL_SCHEMA``.

    Raises:
        DataError: it is not a labels folder, a file in it is damaged, it holds no labels, or
            labels of several recipes.
    """
    table = _read(Path(folder), LABEL_SCHEMA.names, recipe)
    if not table.num_rows:
        made = f" made with {recipe}" if recipe else ""
        raise DataError(
            f"{folder} holds no labels{made}; see {folder}/rejects for the photos without one, "
            f"and label more with: trigger label PHOTOS --out {folder}"
        )
    found = table.select(RECIPE_COLUMNS).group_by(RECIPE_COLUMNS).aggregate([]).to_pylist()
    if len(found) > 1:
        recipes = "; ".join(sorted(str(Recipe(**row)) for row in found))
        raise DataError(
            f"{folder} mixes labels that cannot be compared ({recipes}); read one kind with "
            "read_labels(folder, recipe=Recipe(...)), or label into a new folder"
        )
    return table.sort_by("photo").to_pandas()


def labelled_photos(folder: Path, recipe: Recipe) -> set[str]:
    """Hashes of the photos that already have a label of this recipe."""
    return set(_read(folder, ["photo"], recipe)["photo"].to_pylist())


def read_rejects(folder: str | Path) -> pd.DataFrame:
    """The photos that the last run could not label: photo, path, reason, message."""
    rows: list[dict[str, str]] = []
    for file in sorted((Path(folder) / "rejects").glob("*.csv")):
        with file.open(encoding="utf-8", newline="") as lines:
            rows.extend(csv.DictReader(lines))
    return pd.DataFrame(rows, columns=REJECT_COLUMNS).sort_values(
        ["reason", "path"], ignore_index=True
    )


def _read(folder: Path, columns: list[str], recipe: Recipe | None) -> pa.Table:
    if read_run(folder) is None:
        raise DataError(
            f"{folder} is not a labels folder (it has no {RUN_FILE} by trigger label); "
            f"make one with: trigger label PHOTOS --out {folder}"
        )
    made = None
    for column in RECIPE_COLUMNS if recipe else []:
        same = pc.field(column) == getattr(recipe, column)
        made = same if made is None else made & same
    files = sorted(str(file) for file in (folder / "labels").glob("*.parquet"))
    dataset = pyarrow.dataset.dataset(files, schema=LABEL_SCHEMA, format="parquet")
    try:
        return dataset.to_table(columns=columns, filter=made)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            f"{folder}/labels holds a damaged file ({error}); delete it and run trigger label "
            "again: only its photos are labelled anew"
        ) from error
