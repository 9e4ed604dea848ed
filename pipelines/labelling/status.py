"""``trigger label status``: how far a labelling run is."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.data.labels import label_file, open_labels, read_rejects
from pipelines.data.lock import is_locked
from pipelines.data.storage import Folder
from pipelines.labelling.plan import photos_in


def label_status(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """How far the last run into a labels folder is; it may be running.

    Returns:
        ``state``: "planning", "labelling" or "finished"; ``running``: whether a driver is at work
        (None where that cannot be known, on object stores); ``photos``: all of the input, None
        while planning; ``done``: those whose shard is done or that needed nothing; ``rejected``:
        how many of them have no label, of one enhancer at least; ``remaining``;
        ``seconds_left``: an estimate by the pace so far, None where nothing is done yet.

    Raises:
        DataError: it is not a labels folder.
    """
    out, run = open_labels(folder)
    rejected = len(set(read_rejects(folder)["path"]))
    status: dict[str, Any] = {
        "folder": out.location,
        "state": run["state"],
        "running": is_locked(out) if out.is_local else None,
        "started": run["started"],
        "photos": None,
        "done": 0,
        "rejected": rejected,
        "remaining": None,
        "seconds_left": None,
    }
    if "plan" not in run:
        return status
    photos = run["plan"]["photos"]
    status |= {"photos": photos, "done": photos, "remaining": 0, "seconds_left": 0}
    if run["state"] == "finished":
        return status
    labelled = set(out.names("labels", ".parquet"))
    shards = [name.removesuffix(".json") for name in out.names("plan", ".json")]
    finished = [shard for shard in shards if f"{shard}.parquet" in labelled]
    done = sum(map(photos_in, finished))
    remaining = run["plan"]["to_label"] - done
    status |= {"done": photos - remaining, "remaining": remaining, "seconds_left": None}
    if done:
        begin = datetime.fromisoformat(run["labelling_since"]).timestamp()
        now = _last_written(out, finished) if status["running"] is False else time.time()
        status["seconds_left"] = round(max(0, now - begin) / done * remaining)
    return status


def _last_written(out: Folder, shards: list[str]) -> float:
    return max(Path(out.at(label_file(shard))).stat().st_mtime for shard in shards)


def status_text(status: dict[str, Any]) -> str:
    """The status as lines for the terminal."""
    doing = {True: "running", False: "not running", None: "may be running"}[status["running"]]
    state = status["state"]
    lines = [f"{status['folder']}: {state}" + ("" if state == "finished" else f", {doing}")]
    if status["photos"] is not None:
        lines.append(
            f"{status['photos']} photos: {status['done']} done (of them {status['rejected']} "
            f"rejected), {status['remaining']} remaining"
        )
    if status["remaining"] and status["seconds_left"] is not None:
        lines.append(f"about {_duration(status['seconds_left'])} left at the pace so far")
    if state != "finished" and status["running"] is False:
        lines.append("to go on, run the same trigger label command again")
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options of ``trigger label status``."""
    parser.description = "How far the last run into a labels folder is, also while it is running."
    parser.add_argument("labels", metavar="LABELS", help="labels folder or URL")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Run ``trigger label status``."""
    status = label_status(args.labels)
    text = json.dumps(status, indent=2) if args.json else status_text(status)
    sys.stdout.write(text + "\n")
    return 0
