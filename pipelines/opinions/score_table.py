"""Read the CSV of human scores of an opinion data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipelines.data.tables import read_frame
from trigger.errors import DataError


def read_score_table(
    path: Path, photo: Sequence[str], numbers: Mapping[str, tuple[float, float]]
) -> pd.DataFrame:
    """Read a table, and check that numbers are within their ranges and photos listed once.

    Args:
        path: the CSV.
        photo: columns that identify the photo.
        numbers: columns of numbers, each with its lowest and highest; other columns are text.

    Raises:
        DataError: the file or a column is missing, a cell is not a number in its range, two rows
            score one photo, or there are no rows.
    """
    columns = dict.fromkeys([*photo, *numbers])
    try:
        table = read_frame(path)
    except DataError as error:
        raise DataError(
            f"{path}: no table of human scores can be read here ({error}); give a CSV next to the "
            f"photos with columns {', '.join(columns)}"
        ) from error
    missing = columns.keys() - set(table.columns)
    if missing:
        raise DataError(f"{path}: columns {sorted(missing)} are missing; got {list(table.columns)}")
    for column, (low, high) in numbers.items():
        # In many countries a comma separates the decimals.
        values = pd.to_numeric(table[column].str.replace(",", "."), errors="coerce")
        wrong = table[column][~values.between(low, high)]  # nan is not between either
        if len(wrong):
            raise DataError(
                f"{path}, line {wrong.index[0]}: {column} is {wrong.iloc[0]!r}; it must be a "
                f"number from {low:g} to {high:g}"
            )
        table[column] = values
    if (twice := table.duplicated(list(photo))).any():
        line = twice.idxmax()
        raise DataError(
            f"{path}, line {line}: scores a photo that an earlier line scores; keep one"
        )
    if table.empty:
        raise DataError(f"{path}: holds no scores; put the whole table there")
    return table.reset_index(drop=True)
