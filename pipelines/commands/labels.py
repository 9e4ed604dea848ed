"""``trigger labels``: follow a labelling run, look at labels, merge their files."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from trigger.console.terminal import counted


@click.command(epilog="\b\nExample:\n  trigger labels status labels")
@click.argument("labels", metavar="LABELS")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(labels: str, as_json: bool) -> None:
    """Show the progress of the last run into a labels folder, also while it is running.

    LABELS is a labels folder or URL.
    """
    from pipelines.labelling.status import label_status

    found = label_status(labels)
    sys.stdout.write((json.dumps(asdict(found), indent=2) if as_json else str(found)) + "\n")


@click.command(epilog="\b\nExample:\n  trigger labels report labels")
@click.argument("labels", metavar="LABELS")
def report(labels: str) -> None:
    """Write LABELS/report.html: deltas, scores before and after, best and worst pairs, rejects.

    LABELS is a labels folder or URL. The page holds all it shows and loads nothing.
    """
    from pipelines.labelling.report import write_report

    sys.stdout.write(f"{write_report(labels)}\n")


@click.command(epilog="\b\nExample:\n  trigger labels compact labels")
@click.argument("labels", metavar="LABELS")
def compact(labels: str) -> None:
    """Merge the small label files of many shards and runs into few large ones.

    LABELS is a labels folder or URL. The set of labels stays the same. Temporary files of killed
    runs are removed.
    """
    from pipelines.labelling.compact import compact_labels

    done = compact_labels(labels)
    sys.stdout.write(
        f"{counted(done.labels, 'label')} in {counted(done.files_before, 'file')} -> "
        f"{counted(done.files_after, 'file')}; "
        f"{counted(done.temporaries, 'temporary file')} removed\n"
    )
