"""People rate before/after pairs: choose pairs, show them, collect and summarize ratings.

Example:
    >>> from annotation import PairOptions, make_pairs, serve, summarize_ratings
    >>> make_pairs(Path("labels"), Path("pairs"), PairOptions(n=200))  # doctest: +SKIP
    >>> serve(Path("pairs"))  # doctest: +SKIP
    >>> print(summarize_ratings([Path("pairs")]).text())  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trigger.facade import lazy_exports

if TYPE_CHECKING:
    from annotation.app import Settings, make_app
    from annotation.exchange import (
        add_ratings,
        aggregate_ratings,
        export_ratings,
        import_ratings,
    )
    from annotation.pairs import PairOptions, make_pairs
    from annotation.server import serve
    from annotation.sheet_answers import read_answers
    from annotation.sheets import make_sheets
    from annotation.summary import summarize_ratings

__all__ = [
    "PairOptions",
    "Settings",
    "add_ratings",
    "aggregate_ratings",
    "export_ratings",
    "import_ratings",
    "make_app",
    "make_pairs",
    "make_sheets",
    "read_answers",
    "serve",
    "summarize_ratings",
]

# Each command needs only some of these modules.
__getattr__ = lazy_exports(
    __name__,
    {
        "PairOptions": "pairs",
        "Settings": "app",
        "add_ratings": "exchange",
        "aggregate_ratings": "exchange",
        "export_ratings": "exchange",
        "import_ratings": "exchange",
        "make_app": "app",
        "make_pairs": "pairs",
        "make_sheets": "sheets",
        "read_answers": "sheet_answers",
        "serve": "server",
        "summarize_ratings": "summary",
    },
)
