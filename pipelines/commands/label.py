"""``trigger label``: label photos with measured deltas."""

from __future__ import annotations

import json
import sys

import click

from pipelines.data.enhanced_copies import ENHANCED_FORMATS, EnhancedFormat
from pipelines.data.label_run import LabelRun
from pipelines.data.rejects import read_rejects
from pipelines.enhancers import DEFAULT_ENHANCER, ENHANCER_SPECS
from pipelines.labelling.labeller import load_models
from pipelines.labelling.plan import MAX_SHARD_SIZE
from pipelines.labelling.run import DEFAULT_PHOTO_SECONDS, label_photos
from pipelines.labelling.summary import plan_text, summary_text
from pipelines.scorers import DEFAULT_SCORER
from trigger.cli.options import POSITIVE, POSITIVE_FLOAT
from trigger.console.quiet import native_messages_muted
from trigger.errors import DataError, OptionError

BEAM_FLAGS = "beam flags"
EPILOG = """Exit codes: 0 done, what was rejected is listed in LABELS/rejects; 1 nothing could be
labelled, or the job failed; 2 wrong usage.

\b
Examples:
  trigger label ~/Photos --out labels --workers 4
  trigger label ~/Photos --out labels --runner FlinkRunner -- --flink_master=host:8081
"""


class _WithBeamOptions(click.Command):
    """A command that leaves the arguments after -- to Beam."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            dashes = args.index("--")
            args, ctx.meta[BEAM_FLAGS] = args[:dashes], args[dashes + 1 :]
        return super().parse_args(ctx, args)


@click.command(cls=_WithBeamOptions, epilog=EPILOG, options_metavar="[OPTIONS]")
@click.argument("photos", nargs=-1, required=True, metavar="PHOTOS... [-- BEAM_OPTIONS]")
@click.option(
    "--out", required=True, metavar="LABELS", help="Labels folder or URL; made if it is missing."
)
@click.option(
    "--enhancer",
    "enhancers",
    multiple=True,
    default=[DEFAULT_ENHANCER],
    show_default=True,
    metavar="NAME|PATH",
    help=f"{ENHANCER_SPECS}; may be given several times, for a label each.",
)
@click.option(
    "--scorer",
    default=DEFAULT_SCORER,
    show_default=True,
    metavar="NAME",
    help="A name, or a .tflite file, SavedModel directory or TF-Hub handle that gives ten shares "
    "of opinions or their mean; PATH#size=S,range=LOW..HIGH.",
)
@click.option("--workers", type=POSITIVE, default=1, show_default=True, help="Processes.")
@click.option(
    "--runner",
    metavar="NAME",
    help="Another engine: dask, or what Beam calls it (PortableRunner, FlinkRunner, SparkRunner, "
    "DataflowRunner); --workers is then how many workers it has.",
)
@click.option(
    "--dask-address", metavar="URL", help="Scheduler for --runner dask, as in tcp://host:8786."
)
@click.option(
    "--shard-size",
    type=POSITIVE,
    help=f"Photos per shard, lost if the job is killed (default: up to {MAX_SHARD_SIZE}).",
)
@click.option(
    "--enhanced-format",
    type=click.Choice(list(ENHANCED_FORMATS)),
    help="How enhanced photos are stored (default: png, exactly what was scored).",
)
@click.option("--no-enhanced", is_flag=True, help="Do not store enhanced photos.")
@click.option(
    "--photo-seconds",
    type=POSITIVE_FLOAT,
    default=DEFAULT_PHOTO_SECONDS,
    show_default=True,
    help="How long reading a photo or enhancing it once may take, before it is rejected.",
)
@click.option("--dry-run", is_flag=True, help="Only count what would be done; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the run summary as JSON.")
@click.pass_context
def command(
    context: click.Context,
    photos: tuple[str, ...],
    out: str,
    enhancers: tuple[str, ...],
    scorer: str,
    workers: int,
    runner: str | None,
    dask_address: str | None,
    shard_size: int | None,
    enhanced_format: EnhancedFormat | None,
    no_enhanced: bool,
    photo_seconds: float,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Label photos: score each, enhance it, score it again; delta is the difference.

    PHOTOS are photos, folders, patterns, URLs that Beam knows, or manifests (.txt; .csv and
    .parquet with a column "path"). A rerun labels only what is missing. Photos that cannot be read
    are recorded with reasons. Options for Beam come after --.
    """
    if no_enhanced and enhanced_format:
        raise click.UsageError("give --enhanced-format or --no-enhanced, not both")
    if dask_address and runner != "dask":
        raise OptionError("--dask-address is for --runner dask; add that")
    dask_flags = [f"--dask_client_address={dask_address}"] if dask_address else []
    with native_messages_muted():  # label_photos then finds all of it imported
        models = load_models(enhancers, scorer)
    run = label_photos(
        photos,
        out,
        enhancers=enhancers,
        scorer=scorer,
        shard_size=shard_size,
        enhanced_format=None if no_enhanced else enhanced_format or "png",
        photo_seconds=photo_seconds,
        workers=workers,
        runner=runner,
        beam_flags=[*dask_flags, *context.meta.get(BEAM_FLAGS, ())],
        dry_run=dry_run,
        show_progress=not as_json,
        models=models,
    )
    describe = plan_text if dry_run else summary_text
    sys.stdout.write((json.dumps(run.to_json(), indent=2) if as_json else describe(run)) + "\n")
    if not dry_run:
        _check_any_labelled(run)


def _check_any_labelled(run: LabelRun) -> None:
    """Raise DataError if all photos of a finished run were rejected, by every enhancer."""
    counts = run.counts
    if counts is None or counts.labelled + counts.already or not counts.rejected:
        return
    rejects = read_rejects(run.folder)
    unreadable = int((rejects["enhancer"] == "").sum())
    missing = unreadable * len(run.recipes) + len(rejects) - unreadable
    if missing < counts.rejected * len(run.recipes):
        return  # some enhancer managed some photo
    first = rejects.iloc[0]
    raise DataError(
        f"none of {counts.photos} photos could be labelled; {first['path']}: {first['message']} "
        f"All reasons are in {run.folder}/rejects"
    )
