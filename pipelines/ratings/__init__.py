"""Ratings of before/after pairs: tables, one rating per pair, agreement between raters.

Example:
    >>> from pipelines.ratings import aggregate, judge_raters, read_rows
    >>> rows = read_rows(Path("ratings.csv"))  # doctest: +SKIP
    >>> pairs = aggregate(rows, judge_raters(rows))  # doctest: +SKIP
"""

from pipelines.ratings.aggregation import RatedPair, aggregate, read_rated_pairs
from pipelines.ratings.photos import rated_photos, read_rated
from pipelines.ratings.reliability import Rater, judge_raters
from pipelines.ratings.table import IMPROVABLE, RATINGS, Rating, read_rows, to_csv

__all__ = [
    "IMPROVABLE",
    "RATINGS",
    "RatedPair",
    "Rater",
    "Rating",
    "aggregate",
    "judge_raters",
    "rated_photos",
    "read_rated",
    "read_rated_pairs",
    "read_rows",
    "to_csv",
]
