"""The labels folder: where everything is, and how it is written and read.

    LABELS/
      run.json                                  the last run: counts, versions, options, seconds
      deltas.png                                histogram of its recipes' deltas
      report.html                               by trigger labels report
      labels/<shard>.parquet                    one row per label, ``LABEL_SCHEMA``
      rejects/<shard>.csv                       photos the last run could not label, and why
      enhanced/<enhancer>-<version>/ab/<hash>.png
      plan/<shard>.json                         photos of an unfinished run's shards

LABELS may be a URL that Beam knows. Files appear whole or not at all. A row may be there twice
(where compaction was interrupted); readers count it once.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, fields, replace
from functools import cache
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.data.enhanced_copies import ENHANCED_EXTENSIONS
from pipelines.data.provenance import origins_of
from pipelines.data.storage import Folder
from trigger.errors import DataError, OptionError
from trigger.files import is_file
from trigger.records import LABELS_KIND, LABELS_RECORD

logger = logging.getLogger(__name__)
KIND = LABELS_KIND
LONGEST_MESSAGE = 2000
RUN_FILE = LABELS_RECORD

HASH = "[0-9a-f]{64}"
RECIPE_PART = "[A-Za-z0-9][A-Za-z0-9._+-]*"

LABEL_SCHEMA = pa.schema(
    [
        pa.field("photo", pa.string(), nullable=False),  # SHA-256 of the file's content, hex
        pa.field("path", pa.string(), nullable=False),  # absolute, where the photo was read
        pa.field("width", pa.int32(), nullable=False),  # pixels, upright
        pa.field("height", pa.int32(), nullable=False),
        pa.field("input_score", pa.float32(), nullable=False),  # 1..10
        # Ten shares of opinions 1..10; null where the scorer knows only their mean.
        pa.field("input_distribution", pa.list_(pa.float32())),
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
            if not re.fullmatch(RECIPE_PART, value):
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
KEY_COLUMNS = ["photo", *RECIPE_COLUMNS]


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


def label_file(shard: str) -> str:
    """Name of a shard's labels within LABELS; it is written last and marks the shard as done."""
    return f"labels/{shard}.parquet"


def reject_file(shard: str) -> str:
    """Name of a shard's rejects within LABELS."""
    return f"rejects/{shard}.csv"


def enhanced_file(recipe: Recipe, photo: str, extension: str) -> str:
    """Name of the enhanced copy of a photo within LABELS."""
    return f"enhanced/{recipe.enhancer}-{recipe.enhancer_version}/{photo[:2]}/{photo}.{extension}"


def label_bytes(rows: pa.Table) -> bytes:
    """Rows as a Parquet file; the same rows give the same bytes."""
    buffer = io.BytesIO()
    pq.write_table(rows, buffer, write_page_checksum=True)
    return buffer.getvalue()


def write_labels(
    folder: str | os.PathLike[str] | Folder, shard: str, rows: Sequence[dict[str, Any]]
) -> None:
    """Write the labels of one shard."""
    table = pa.Table.from_pylist(list(rows), LABEL_SCHEMA)
    _folder(folder).write(label_file(shard), label_bytes(table))


def write_rejects(
    folder: str | os.PathLike[str] | Folder, shard: str, rejects: Iterable[Reject]
) -> None:
    """Write the rejects of one shard."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(REJECT_COLUMNS)
    # Of whole tracebacks as message the beginning will do; readers take 131,072 characters.
    cut = (replace(reject, message=reject.message[:LONGEST_MESSAGE]) for reject in rejects)
    writer.writerows([storable(text) for text in astuple(reject)] for reject in cut)
    _folder(folder).write(reject_file(shard), buffer.getvalue().encode())


def is_labels_folder(folder: str | os.PathLike[str] | Folder) -> bool:
    """Whether ``trigger label`` wrote the folder.

    Raises:
        DataError: its run.json is there but cannot be read.
    """
    place = _folder(folder)
    try:
        run = json.loads(place.read(RUN_FILE))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        if not place.is_local:  # what other file systems raise where there is no file
            return False
        raise DataError(
            f"{place.at(RUN_FILE)}: cannot be read ({error.strerror}); make it readable again"
        ) from error
    return isinstance(run, dict) and run.get("kind") == KIND


def open_labels(folder: str | os.PathLike[str] | Folder) -> Folder:
    """Return a labels folder.

    Raises:
        DataError: it is not a labels folder.
    """
    place = _folder(folder)
    if not is_labels_folder(place):
        raise DataError(
            f"{folder} is not a labels folder (it has no {RUN_FILE} by trigger label); "
            "make one with: trigger label PHOTOS --out LABELS"
        )
    return place


def read(
    folder: str | os.PathLike[str],
    *,
    enhancer: str | None = None,
    scorer: str | None = None,
    recipe: Recipe | None = None,
    mixed: bool = False,
) -> pd.DataFrame:
    """All labels of a folder, sorted by photo and recipe.

    Args:
        folder: what ``trigger label --out`` wrote.
        enhancer: only labels of this enhancer: its name, or "name version".
        scorer: only labels of this scorer: its name, or "name version".
        recipe: only labels made exactly this way.
        mixed: give labels of several recipes, told apart by the last five columns; otherwise
            they are an error, since their deltas cannot be compared.

    Returns:
        The columns of ``LABEL_SCHEMA``, one row per photo and recipe.

    Raises:
        DataError: it is not a labels folder, a file in it is damaged, or it holds no such labels.
        OptionError: it holds labels of several recipes.
    """
    place = open_labels(folder)
    wanted = asdict(recipe) if recipe else {}
    for column, choice in (("enhancer", enhancer), ("scorer", scorer)):
        if choice is not None:
            name, _, version = choice.partition(" ")
            wanted |= {column: name} | ({f"{column}_version": version} if version else {})
    table = read_table(place, wanted=wanted)
    if not table.num_rows:
        made = f" with {' '.join(wanted.values())}" if wanted else ""
        raise DataError(
            f"{folder} holds no labels{made}; see {folder}/rejects for the photos without one, "
            f"and label more with: trigger label PHOTOS --out {folder}"
        )
    found = recipes_in(table)
    if len(found) > 1 and not mixed:
        raise OptionError(
            f"{folder} mixes labels that cannot be compared ({'; '.join(map(str, found))}); "
            "choose with --enhancer 'NAME VERSION' and --scorer 'NAME VERSION' (in Python: "
            "enhancer=, scorer=, or mixed=True for all of them)"
        )
    return table.to_pandas()


def with_copies(folder: str | os.PathLike[str], labels: pd.DataFrame) -> pd.DataFrame:
    """Add to labels the scene of each photo and the path of its enhanced copy.

    Args:
        folder: LABELS, on this machine.
        labels: what ``read`` returned.

    Returns:
        The labels with the columns scene (what the photo was made from by record, else its
        SHA-256) and enhanced (the path of the enhanced copy; "" where none was stored).

    Raises:
        DataError: a record of what photos were made from cannot be read.

    Example:
        >>> labels = with_copies("labels", read("labels"))  # doctest: +SKIP
    """
    recipes = [Recipe(*row) for row in labels[RECIPE_COLUMNS].itertuples(index=False)]
    return labels.assign(
        scene=origins_of(labels)["scene"],
        enhanced=[
            _enhanced_copy(os.fspath(folder), recipe, photo)
            for recipe, photo in zip(recipes, labels["photo"], strict=True)
        ],
    )


def _enhanced_copy(folder: str, recipe: Recipe, photo: str) -> str:
    for extension in ENHANCED_EXTENSIONS.values():
        path = os.path.join(folder, enhanced_file(recipe, photo, extension))  # noqa: PTH118
        if is_file(path):
            return path
    return ""


def read_table(
    folder: Folder,
    columns: Sequence[str] = tuple(LABEL_SCHEMA.names),
    wanted: dict[str, str] | None = None,
) -> pa.Table:
    """Labels whose columns equal what is wanted, each once, sorted by ``KEY_COLUMNS``.

    Raises:
        DataError: a file is damaged.
    """
    needed = [*columns, *(name for name in KEY_COLUMNS if name not in columns)]
    tables = _label_tables(folder, needed, wanted or {})
    schema = pa.schema([LABEL_SCHEMA.field(name) for name in needed])
    rows = pa.concat_tables([schema.empty_table(), *tables])
    rows = rows.sort_by([(name, "ascending") for name in KEY_COLUMNS])
    same = pa.repeat(True, max(0, rows.num_rows - 1))
    for name in KEY_COLUMNS:
        values = rows[name].combine_chunks()
        same = pc.and_(same, pc.equal(values[1:], values[:-1]))
    if pc.any(same).as_py():
        first = pa.concat_arrays([pa.array([True]), pc.invert(same)])
        rows = rows.filter(first)
    return rows.select(list(columns))


def recipes_in(rows: pa.Table) -> list[Recipe]:
    """The recipes that a table of labels holds, sorted."""
    found = rows.select(RECIPE_COLUMNS).group_by(RECIPE_COLUMNS).aggregate([]).to_pylist()
    return sorted((Recipe(**row) for row in found), key=str)


def labelled_photos(folder: Folder, recipe: Recipe) -> Iterator[str]:
    """Hashes of the photos that have a label of this recipe; only a few are in memory at a time.

    Raises:
        DataError: a file is damaged.
    """
    for table in _label_tables(folder, ["photo"], asdict(recipe)):
        yield from filter(_is_hash, table["photo"].to_pylist())


def unusable_files(folder: Folder) -> list[str]:
    """Names of the files among the labels that hold something else, or not only labels.

    Raises:
        DataError: a file is damaged.
    """
    return [
        name
        for name in folder.names("labels", ".parquet")
        if _open_file(folder, f"labels/{name}")[1]
    ]


def read_shard(folder: Folder, shard: str) -> list[tuple[str, str]]:
    """(photo, enhancer) of the labels in a shard's file.

    Raises:
        DataError: the file is damaged or missing.
    """
    table = _read_file(folder, label_file(shard), ["photo", "enhancer"], {})
    return list(zip(table["photo"].to_pylist(), table["enhancer"].to_pylist(), strict=True))


def read_rejects(folder: str | os.PathLike[str] | Folder) -> pd.DataFrame:
    """What the last run could not label, by ``REJECT_COLUMNS``, sorted by reason and path."""
    place = _folder(folder)
    rows = [
        row
        for name in place.names("rejects", ".csv")
        for row in read_shard_rejects(place, name.removesuffix(".csv"))
    ]
    return pd.DataFrame(rows, columns=REJECT_COLUMNS).sort_values(
        ["reason", "path", "enhancer"], ignore_index=True
    )


def read_shard_rejects(folder: Folder, shard: str) -> list[dict[str, str]]:
    """The rejects of one shard; none where it has no such file."""
    try:
        text = folder.read(reject_file(shard)).decode(errors="replace")
    except FileNotFoundError:
        return []
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _folder(folder: str | os.PathLike[str] | Folder) -> Folder:
    return folder if isinstance(folder, Folder) else Folder(folder)


def _label_tables(
    folder: Folder, columns: Sequence[str], wanted: dict[str, str]
) -> Iterator[pa.Table]:
    for name in folder.names("labels", ".parquet"):
        yield _read_file(folder, f"labels/{name}", columns, wanted)


def _read_file(
    folder: Folder, name: str, columns: Sequence[str], wanted: dict[str, str]
) -> pa.Table:
    """The labels of a file; where it holds anything else, a warning says so, once."""
    file, problem = _open_file(folder, name)
    if problem:
        _warn(f"{folder}/{name} {problem}")
    if file is None:
        return pa.schema([LABEL_SCHEMA.field(column) for column in columns]).empty_table()
    # What a row lacks shows only in the columns where something is missing.
    needed = LABEL_SCHEMA.names if problem else list(dict.fromkeys([*columns, *wanted]))
    with _damage_named(folder, name):
        table = file.read(needed)
        if problem:
            table = table.filter(_is_label(table))
        # Earlier versions stored distributions as lists of fixed length.
        table = table.cast(pa.schema([LABEL_SCHEMA.field(field) for field in table.column_names]))
    for column, value in wanted.items():
        table = table.filter(pc.equal(table[column], value))
    return table.select(list(columns))


def _open_file(folder: Folder, name: str) -> tuple[pq.ParquetFile | None, str]:
    """A file of labels, or None if it holds none; and what is wrong with it, "" if nothing.

    Raises:
        DataError: the file is damaged.
    """
    with _damage_named(folder, name):
        # ParquetFile reads a small file ten times faster than datasets do.
        content = io.BytesIO(folder.read(name))
        file = pq.ParquetFile(content, page_checksum_verification=True)
        found = file.schema_arrow
        lacking = [column for column in LABEL_SCHEMA.names if column not in found.names]
        if lacking:
            return None, (
                f"is not a file of labels of this version (it lacks the column "
                f"{', '.join(lacking)}) and is ignored; move it elsewhere"
            )
        for field in LABEL_SCHEMA:
            kind = found.field(field.name).type
            if field.name != "input_distribution" and kind != field.type:
                return None, (
                    f"is not a file of labels (its column {field.name} is {kind}, not "
                    f"{field.type}) and is ignored; move it elsewhere"
                )
        if _has_gaps(file):
            rows = file.read(LABEL_SCHEMA.names)
            gaps = rows.num_rows - (pc.sum(_is_label(rows)).as_py() or 0)
            if gaps:
                return file, (
                    f"holds {gaps} rows that are not whole labels; they are ignored and their "
                    "photos labelled again. Delete these rows, or the file to label all its photos "
                    "again"
                )
    return file, ""


def _has_gaps(file: pq.ParquetFile) -> bool:
    """Whether a row may lack what a label has, by the counts in the file's footer."""
    names = {field.name for field in LABEL_SCHEMA if not field.nullable}
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        for place in range(group.num_columns):
            column = group.column(place)
            if column.path_in_schema not in names:
                continue
            about = column.statistics
            if about is None or about.null_count is None or about.null_count:
                return True
            # Everything is sorted between these, also most of what is not a hash.
            if column.path_in_schema == "photo" and not (
                about.has_min_max and _is_hash(about.min) and _is_hash(about.max)
            ):
                return True
    return False


def _is_hash(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(HASH, text) is not None


def _is_label(table: pa.Table) -> pa.ChunkedArray:
    """Whether each row has all that a label needs."""
    whole = pc.match_substring_regex(table["photo"], f"^{HASH}$")
    for name in RECIPE_COLUMNS:
        whole = pc.and_(whole, pc.match_substring_regex(table[name], f"^{RECIPE_PART}$"))
    for field in LABEL_SCHEMA:
        if not field.nullable:
            whole = pc.and_(whole, pc.is_valid(table[field.name]))
    return pc.fill_null(whole, False)


@contextmanager
def _damage_named(folder: Folder, name: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, KeyError, UnicodeDecodeError) as error:
        raise DataError(
            f"{folder}/{name} is damaged or cannot be read ({error}); delete it and run trigger "
            "label again, which labels only its photos"
        ) from error


@cache
def _warn(message: str) -> None:
    """Warn once, though files are read several times in a run."""
    logger.warning("%s", message)
