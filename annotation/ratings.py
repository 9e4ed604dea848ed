"""The ratings CSV: what people said of enhanced photos.

One row is one opinion. Columns:

========  ========  ===========================================================
path      required  photo before enhancement; relative paths start at the CSV's folder
rating    required  2 significant improvement, 1 moderate, 0 neutral, -1 regressed
scene     optional  photos of one scene stay on one side of every split; default: the photo
rater     optional  who said it
enhancer  optional  what made the "after" photo
========  ========  ===========================================================
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from trigger.errors import DataError

RATINGS = {2: "significant improvement", 1: "moderate improvement", 0: "neutral", -1: "regressed"}
IMPROVABLE = 1  # a mean rating from here on counts as "would look better"
REQUIRED = ("path", "rating")
OPTIONAL = ("scene", "rater", "enhancer")


def read_ratings(path: Path) -> pd.DataFrame:
    """Read and check a ratings CSV.

    Returns:
        Columns path (absolute, str), rating (int), scene, rater and enhancer (str).

    Raises:
        DataError: the file, a column, a photo or an allowed rating is missing; every message
            names the line.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such ratings CSV") from error
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path}: not a readable CSV ({error})") from error
    missing = [column for column in REQUIRED if column not in table.columns]
    if missing:
        raise DataError(
            f"{path}: column {missing[0]!r} is missing; got {list(table.columns)}, required are "
            f"{list(REQUIRED)}, optional {list(OPTIONAL)}"
        )
    if table.empty:
        raise DataError(f"{path}: holds no ratings, only a header")
    allowed = {str(value): value for value in RATINGS}
    ratings, paths = [], []
    for line, (photo, rating) in enumerate(zip(table["path"], table["rating"], strict=True), 2):
        if rating.strip() not in allowed:
            words = ", ".join(f"{value} ({word})" for value, word in RATINGS.items())
            raise DataError(f"{path}, line {line}: rating is {rating!r}; allowed are {words}")
        if not photo.strip():
            raise DataError(f"{path}, line {line}: path is empty; name the rated photo")
        located = (path.parent / photo).resolve()
        if not located.is_file():
            raise DataError(f"{path}, line {line}: photo {located} does not exist")
        ratings.append(allowed[rating.strip()])
        paths.append(str(located))
    columns = {
        name: table[name] if name in table.columns else pd.Series([""] * len(table))
        for name in OPTIONAL
    }
    result = pd.DataFrame({"path": paths, "rating": ratings, **columns})
    result["scene"] = result["scene"].where(result["scene"] != "", result["path"])
    return result


def mean_ratings(ratings: pd.DataFrame) -> pd.DataFrame:
    """One row per photo: path, scene, raters, mean rating (float), how many opinions it had."""
    grouped = ratings.groupby("path", sort=True)
    return pd.DataFrame(
        {
            "scene": grouped["scene"].first(),
            "rater": grouped["rater"].agg(lambda names: " + ".join(sorted(set(names)))),
            "rating": grouped["rating"].mean(),
            "opinions": grouped["rating"].size(),
        }
    ).reset_index()
