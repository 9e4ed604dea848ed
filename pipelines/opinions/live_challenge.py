"""LIVE In the Wild Image Quality Challenge: phone photos with real defects and human scores.

Ghadiyaram & Bovik, "Massive online crowdsourced study of subjective and objective picture
quality", IEEE TIP 25 (2016), doi:10.1109/TIP.2015.2500021. About 175 people rated each photo.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.opinions.score_table import read_score_table
from trigger.errors import DataError

LAYOUT = "folder of the photos and mos.csv (columns image, mos_0_100, std)"


@dataclass(frozen=True)
class RatedPath:
    """A photo file with the mean and standard deviation of its opinions, on 1..10."""

    path: Path
    score: float
    deviation: float


def read_live_challenge(folder: Path) -> Iterator[RatedPath]:
    """Read the photos listed in ``mos.csv``, scores mapped to 1..10; see ``LAYOUT``.

    Raises:
        DataError: the file, a column or a listed photo is missing, a score is not a number, or a
            photo has two scores.
    """
    table_path = folder / "mos.csv"
    table = read_score_table(table_path, ["image"], {"mos_0_100": (0, 100), "std": (0, 100)})
    rows = zip(table["image"], table["mos_0_100"], table["std"], strict=True)
    for name, mos, deviation in rows:
        path = folder / name
        if not path.is_file():
            raise DataError(f"{table_path} lists {name}, which is not in {folder}")
        yield RatedPath(path, 1 + 9 * float(mos) / 100, 9 * float(deviation) / 100)
