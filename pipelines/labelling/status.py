"""Progress of a labelling run, read from its folder."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.data.label_files import label_file
from pipelines.data.label_run import PlanCounts, State, read_run
from pipelines.data.labels import open_labels
from pipelines.data.lock import is_locked
from pipelines.data.rejects import read_rejects
from pipelines.data.storage import Folder
from pipelines.labelling.plan import photos_in
from trigger.console.terminal import counted


@dataclass
class LabelStatus:
    """How far the last run into a labels folder is.

    Attributes:
        folder: location of the labels folder.
        state: "planning", "labelling" or "finished".
        running: whether a driver is at work; None where that cannot be known, on object stores.
        started: ISO 8601.
        photos: all of the input; None while planning.
        done: photos whose shard is done or that needed nothing.
        rejected: how many of them lack a label, of one enhancer at least.
        remaining: photos that are not done; None while planning.
        seconds_left: an estimate by the pace so far; None where nothing is done yet.
    """

    folder: str
    state: State
    running: bool | None
    started: str
    photos: int | None = None
    done: int = 0
    rejected: int = 0
    remaining: int | None = None
    seconds_left: int | None = None

    def __str__(self) -> str:
        doing = {True: "running", False: "not running", None: "may be running"}[self.running]
        lines = [f"{self.folder}: {self.state}" + ("" if self.is_finished else f", {doing}")]
        if self.photos is not None:
            lines.append(
                f"{counted(self.photos, 'photo')}: {self.done} done "
                f"({self.rejected} of them rejected), {self.remaining} remaining"
            )
        if self.remaining and self.seconds_left is not None:
            lines.append(f"about {_duration(self.seconds_left)} left at the pace so far")
        if not self.is_finished and self.running is False:
            lines.append("to continue, run the same trigger label command again")
        return "\n".join(lines)

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end."""
        return self.state == "finished"


def label_status(folder: str | os.PathLike[str]) -> LabelStatus:
    """Return the progress of the last run into a labels folder; it may be running.

    Raises:
        DataError: it is not a labels folder.

    Example:
        >>> print(label_status("labels"))  # doctest: +SKIP
        /home/me/labels: labelling, running
        1000 photos: 448 done (3 of them rejected), 552 remaining
        about 9 min left at the pace so far
    """
    out = open_labels(folder)
    run = read_run(out)
    status = LabelStatus(
        folder=out.location,
        state=run.state,
        running=is_locked(out) if out.is_local else None,
        started=run.started,
        rejected=len(set(read_rejects(out)["path"])),
    )
    if run.plan is None:
        return status
    status.photos = status.done = run.plan.photos
    status.remaining = status.seconds_left = 0
    if not status.is_finished:
        _estimate(out, run.plan, run.labelling_since, status)
    return status


def _estimate(out: Folder, plan: PlanCounts, since: str | None, status: LabelStatus) -> None:
    """Count the photos of finished shards and estimate when the others will be."""
    labelled = set(out.names("labels", ".parquet"))
    shards = [name.removesuffix(".json") for name in out.names("plan", ".json")]
    finished = [shard for shard in shards if f"{shard}.parquet" in labelled]
    done = sum(map(photos_in, finished))
    remaining = plan.to_label - done
    status.done, status.remaining, status.seconds_left = plan.photos - remaining, remaining, None
    if done and since is not None:
        begin = datetime.fromisoformat(since).timestamp()
        now = _last_written(out, finished) if status.running is False else time.time()
        status.seconds_left = round(max(0, now - begin) / done * remaining)


def _last_written(out: Folder, shards: list[str]) -> float:
    return max(Path(out.at(label_file(shard))).stat().st_mtime for shard in shards)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
