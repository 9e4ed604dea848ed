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

import json
import os
from dataclasses import asdict

import pandas as pd

from pipelines.data.enhanced_copies import ENHANCED_EXTENSIONS
from pipelines.data.label_files import read_table, recipes_in
from pipelines.data.label_schema import RECIPE_COLUMNS, Recipe
from pipelines.data.provenance import origins_of
from pipelines.data.storage import Folder, as_folder
from trigger.errors import DataError, OptionError
from trigger.files import is_file
from trigger.markers import LABELS_KIND, LABELS_RECORD

KIND = LABELS_KIND
RUN_FILE = LABELS_RECORD


def is_labels_folder(folder: str | os.PathLike[str] | Folder) -> bool:
    """Whether ``trigger label`` wrote the folder.

    Raises:
        DataError: its run.json is there but cannot be read.
    """
    place = as_folder(folder)
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

    Example:
        >>> open_labels("labels").names("rejects")  # doctest: +SKIP
        ['0f3a.csv']
    """
    place = as_folder(folder)
    if not is_labels_folder(place):
        raise DataError(
            f"{folder} is not a labels folder (it has no {RUN_FILE} by trigger label); "
            "make one with: trigger label PHOTOS --out LABELS"
        )
    return place


def read_labels(
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
        mixed: give labels of several recipes, distinguished by the last five columns; otherwise
            they are an error, since their deltas cannot be compared.

    Returns:
        The columns of ``LABEL_SCHEMA``, one row per photo and recipe.

    Raises:
        DataError: it is not a labels folder, a file in it is damaged, or it holds no such labels.
        OptionError: it holds labels of several recipes.

    Example:
        >>> labels = read_labels("labels", enhancer="restorer")  # doctest: +SKIP
        >>> labels.loc[labels["delta"] > 0.4, "path"]  # doctest: +SKIP
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
        labels: of :func:`read_labels`.

    Returns:
        The labels with the columns scene (what the photo was made from by record, else its
        SHA-256) and enhanced (the path of the enhanced copy; "" where none was stored).

    Raises:
        DataError: a record of what photos were made from cannot be read.

    Example:
        >>> labels = with_copies("labels", read_labels("labels"))  # doctest: +SKIP
    """
    recipes = [Recipe(*row) for row in labels[RECIPE_COLUMNS].itertuples(index=False)]
    return labels.assign(
        scene=origins_of(labels)["scene"],
        enhanced=[
            _enhanced_copy(os.fspath(folder), recipe, photo)
            for recipe, photo in zip(recipes, labels["photo"], strict=True)
        ],
    )


def enhanced_file(recipe: Recipe, photo: str, extension: str) -> str:
    """Name of the enhanced copy of a photo within LABELS."""
    return f"enhanced/{recipe.enhancer}-{recipe.enhancer_version}/{photo[:2]}/{photo}.{extension}"


def _enhanced_copy(folder: str, recipe: Recipe, photo: str) -> str:
    for extension in ENHANCED_EXTENSIONS.values():
        path = os.path.join(folder, enhanced_file(recipe, photo, extension))  # noqa: PTH118
        if is_file(path):
            return path
    return ""
