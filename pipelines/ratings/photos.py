"""Rated photos whose files exist."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipelines.data.available import leave_out_missing
from pipelines.ratings.aggregation import rated_photos

MEND_RATED = "Put them back, correct the column 'path', or remove their rows"


def read_rated(path: Path) -> pd.DataFrame:
    """Read the rated photos of a CSV whose files exist, as ``rated_photos`` does.

    Raises:
        DataError: as ``rated_photos``, or more than a tenth of the photos are missing.
    """
    table, missing = rated_photos(path)
    leave_out_missing(path, missing, len(table) + len(missing), MEND_RATED)
    return table
