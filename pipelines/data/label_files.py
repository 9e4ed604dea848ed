"""Parquet files of labels, one per shard: write them, and read their whole rows."""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.data.label_schema import (
    HASH,
    KEY_COLUMNS,
    LABEL_SCHEMA,
    RECIPE_COLUMNS,
    RECIPE_PART,
    Recipe,
)
from pipelines.data.storage import Folder, as_folder
from trigger.errors import DataError

logger = logging.getLogger(__name__)

_NUMBERS = [field.name for field in LABEL_SCHEMA if pa.types.is_floating(field.type)]
_PATTERNS = {"photo": HASH} | dict.fromkeys(RECIPE_COLUMNS, RECIPE_PART)


def label_file(shard: str) -> str:
    """Name of a shard's labels within LABELS; it is written last and marks the shard as done."""
    return f"labels/{shard}.parquet"


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
    as_folder(folder).write(label_file(shard), label_bytes(table))


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


def read_shard(folder: Folder, shard: str) -> list[tuple[str, str]]:
    """(photo, enhancer) of the labels in a shard's file.

    Raises:
        DataError: the file is damaged or missing.
    """
    table = _read_file(folder, label_file(shard), ["photo", "enhancer"], {})
    return list(zip(table["photo"].to_pylist(), table["enhancer"].to_pylist(), strict=True))


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
    """Open a file of labels, None if it holds none; also return a problem, or "".

    Raises:
        DataError: the file is damaged.
    """
    with _damage_named(folder, name):
        # ParquetFile reads a small file ten times faster than datasets do.
        content = io.BytesIO(folder.read(name))
        file = pq.ParquetFile(content, page_checksum_verification=True)
        found = file.schema_arrow
        twice = [column for column in LABEL_SCHEMA.names if found.names.count(column) > 1]
        if twice:
            return None, (
                f"is not a file of labels (it has the column {', '.join(twice)} twice) and is "
                "ignored; move it elsewhere"
            )
        lacking = [column for column in LABEL_SCHEMA.names if column not in found.names]
        if lacking:
            return None, (
                f"is not a file of labels of this version (it lacks the column "
                f"{', '.join(lacking)}) and is ignored; move it elsewhere"
            )
        for field in LABEL_SCHEMA:
            kind = found.field(field.name).type
            if not _same_kind(kind, field.type):
                return None, (
                    f"is not a file of labels (its column {field.name} is {kind}, not "
                    f"{field.type}) and is ignored; move it elsewhere"
                )
        if _has_gaps(file):
            rows = file.read(LABEL_SCHEMA.names)
            gaps = rows.num_rows - (pc.sum(_is_label(rows)).as_py() or 0)
            if gaps:
                return file, (
                    f"holds rows that are not whole labels ({gaps} of {rows.num_rows}); they are "
                    "ignored and their photos labelled again. Delete these rows, or the file to "
                    "label all its photos again"
                )
    return file, ""


def _same_kind(kind: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_list(wanted):  # earlier versions stored lists of fixed length
        is_list = pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind)
        return is_list and kind.value_type == wanted.value_type
    return kind == wanted


def _has_gaps(file: pq.ParquetFile) -> bool:
    """Whether a row may lack what a label has, by the counts and bounds in the file's footer."""
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
            # Everything is sorted between these, also most of what is no hash or no name.
            pattern = _PATTERNS.get(column.path_in_schema)
            if pattern and not (
                about.has_min_max and _matches(about.min, pattern) and _matches(about.max, pattern)
            ):
                return True
    # The bounds do not show what is not a number.
    numbers = file.read(_NUMBERS)
    return not all(pc.all(pc.is_finite(values), min_count=0).as_py() for values in numbers.columns)


def _matches(text: object, pattern: str) -> bool:
    return isinstance(text, str) and re.fullmatch(pattern, text) is not None


def _is_hash(text: object) -> bool:
    return _matches(text, HASH)


def _is_label(table: pa.Table) -> pa.ChunkedArray:
    """Whether each row has all that a label needs."""
    whole = pa.scalar(True)
    for name, pattern in _PATTERNS.items():
        whole = pc.and_(whole, pc.match_substring_regex(table[name], f"^{pattern}$"))
    for name in _NUMBERS:
        whole = pc.and_(whole, pc.is_finite(table[name]))
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
