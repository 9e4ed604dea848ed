"""Write rankings as CSV, JSON and as a page with thumbnails."""

from __future__ import annotations

from pathlib import Path

from trigger.console.progress import progress
from trigger.files import write_atomically
from trigger.ranking import Ranking
from trigger.threads import default_workers

MAX_PHOTOS = 1000
"""On a contact sheet; browsers cannot open larger ones."""


def write_ranking(
    ranking: Ranking,
    *,
    csv: Path | None = None,
    json: Path | None = None,
    html: Path | None = None,
    top: int | None = None,
    workers: int | None = None,
    show_progress: bool = False,
) -> list[Path]:
    """Write the files that are named, each whole or not at all.

    Args:
        ranking: what to write.
        csv: the whole ranking, one row per photo.
        json: the whole ranking with model, threshold and counts.
        html: contact sheet of the best candidates.
        top: photos on the contact sheet, ``MAX_PHOTOS`` at most.
        workers: thumbnails made at a time.
        show_progress: show a progress bar on standard error, if that is a terminal.

    Returns:
        The paths written.

    Raises:
        DataError: a file cannot be written.

    Example:
        >>> from pathlib import Path
        >>> from trigger.ranking import rank_photos
        >>> ranking = rank_photos(["holiday"])  # doctest: +SKIP
        >>> write_ranking(ranking, html=Path("best.html"), top=50)  # doctest: +SKIP
        [PosixPath('best.html')]
    """
    if csv:
        write_atomically(csv, ranking.to_csv().encode("utf-8", "surrogateescape"))
    if json:
        write_atomically(json, ranking.to_json().encode())
    if html:
        from trigger.pages.contact_sheet import contact_sheet, make_thumbnails  # imports Jinja2

        shown = ranking.photos[: min(top or MAX_PHOTOS, MAX_PHOTOS)]
        thumbnails = progress(
            make_thumbnails(shown, workers=workers or default_workers()),
            "thumbnails",
            total=len(shown),
            shown=show_progress,
        )
        page = contact_sheet(ranking, shown, thumbnails, html.absolute().parent)
        write_atomically(html, page.encode("utf-8", "backslashreplace"))
    return [path for path in (csv, json, html) if path]
