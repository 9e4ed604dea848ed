"""Label photos with measured deltas: an Apache Beam pipeline of shards.

Example:
    >>> from pipelines.labelling import label_photos  # doctest: +SKIP
    >>> label_photos(["~/Photos"], "labels").counts.labelled  # doctest: +SKIP
    1024
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trigger.facade import lazy_exports

if TYPE_CHECKING:
    from pipelines.labelling.compact import compact_labels
    from pipelines.labelling.report import label_report
    from pipelines.labelling.run import label_photos
    from pipelines.labelling.status import label_status

__all__ = ["compact_labels", "label_photos", "label_report", "label_status"]

# Workers and `trigger labels status` need little of this.
__getattr__ = lazy_exports(
    __name__,
    {
        "compact_labels": "compact",
        "label_photos": "run",
        "label_report": "report",
        "label_status": "status",
    },
)
