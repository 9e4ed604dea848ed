"""Reading what ``trigger label`` wrote, to choose pairs from it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.data.provenance import origins_of
from trigger.errors import DataError, OptionError
from trigger.records import LABELS_KIND, LABELS_RECORD

RUN_FILE, RUN_KIND = LABELS_RECORD, LABELS_KIND
ENHANCED_EXTENSIONS = ("png", "jpg", "webp")
RECIPE = ["enhancer", "enhancer_version", "scorer", "scorer_version", "preprocessing"]
COLUMNS = ["photo", "path", "input_score", "delta", *RECIPE]


def read_labels(folder: Path, enhancer: str | None, scorer: str | None) -> pd.DataFrame:
    """The labels of a folder, sorted by photo.

    Args:
        folder: LABELS.
        enhancer: only labels made with it, "NAME" or "NAME VERSION"; needed where the folder
            holds several.
        scorer: the same of the scorer.

    Returns:
        ``COLUMNS``, scene (what the photo was made from, else the photo) and enhanced (the path
        of the enhanced photo, "" where there is none).

    Raises:
        DataError: it is not a labels folder, is damaged or holds no labels of these.
        OptionError: it holds labels that were made in several ways.
    """
    try:
        kind = json.loads((folder / RUN_FILE).read_bytes())["kind"]
        files = sorted((folder / "labels").glob("*.parquet"))
        tables = [
            pq.ParquetFile(file, page_checksum_verification=True).read(COLUMNS) for file in files
        ]
    except (OSError, ValueError, TypeError, KeyError, pa.ArrowException) as error:
        raise DataError(
            f"{folder}: not a readable labels folder ({error}); make one with: "
            "trigger label PHOTOS --out LABELS"
        ) from error
    if kind != RUN_KIND or not tables:
        raise DataError(
            f"{folder} holds no labels; make some with: trigger label PHOTOS --out LABELS"
        )
    # An interrupted ``trigger label compact`` can leave a label in two files.
    labels = pa.concat_tables(tables).to_pandas().drop_duplicates(["photo", *RECIPE])
    labels = labels.sort_values("photo", ignore_index=True)
    wanted = {"enhancer": enhancer, "scorer": scorer}
    for part, choice in wanted.items():
        if choice is not None:
            versioned = labels[part] + " " + labels[f"{part}_version"]
            labels = labels[(labels[part] == choice) | (versioned == choice)]
    labels = labels.reset_index(drop=True)
    if labels.empty:
        made = "".join(f" made with {choice}" for choice in wanted.values() if choice)
        raise DataError(f"{folder} holds no labels{made}")
    recipes = labels[RECIPE].drop_duplicates()
    if len(recipes) > 1:
        raise OptionError(
            f"{folder} holds labels made in {len(recipes)} ways "
            f"({'; '.join(' '.join(row) for row in recipes.itertuples(index=False))}); choose one "
            "with --enhancer 'NAME VERSION' and --scorer 'NAME VERSION'"
        )
    labels["scene"] = origins_of(labels)["scene"]
    name = "-".join(recipes.iloc[0][["enhancer", "enhancer_version"]])
    labels["enhancer"] = name
    labels["enhanced"] = [_enhanced(folder / "enhanced" / name, p) for p in labels["photo"]]
    return labels


def _enhanced(folder: Path, photo: str) -> str:
    files = (folder / photo[:2] / f"{photo}.{extension}" for extension in ENHANCED_EXTENSIONS)
    return next((str(file) for file in files if file.is_file()), "")
