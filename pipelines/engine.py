"""The Beam graph of labelling: Create(shards) | Reshuffle | ParDo(label a shard).

Everything a shard produces goes to the labels folder, so the graph has no outputs an engine
could lose, and whether an engine did its work is seen from the files alone.
"""

from __future__ import annotations

import contextlib
import functools
import io
import threading
from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from pipelines.enhancers import Enhancer, load_enhancer
from pipelines.scorers import Scorer, load_scorer
from pipelines.shards import Job, Shard, label_shard
from pipelines.worker import WorkerDiedError, supervise, worker_command
from trigger.errors import ModelError, OptionError, TriggerError

NAMESPACE = "trigger"
WORKER_LOG = "workers.log"
WORKER_LEASE = ".workers-run-while-this-exists"
_LOADING = threading.Lock()


class EngineError(TriggerError):
    """The engine failed, or said it was done and was not."""


@functools.cache
def _load(enhancer: str, scorer: str) -> tuple[Enhancer, Scorer]:
    return load_enhancer(enhancer), load_scorer(scorer)


def load_models(enhancer: str, scorer: str) -> tuple[Enhancer, Scorer]:
    """The enhancer and scorer of this process: loaded by the first thread that asks, kept."""
    with _LOADING:
        return _load(enhancer, scorer)


class LabelShard(beam.DoFn):
    """Labels the shards it is given, with the models of its process."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def setup(self) -> None:
        """Load the models, which must be the very versions the job was planned with."""
        job = self._job
        self._enhancer, self._scorer = load_models(job.enhancer, job.scorer)
        here = (self._enhancer.version, self._scorer.version)
        planned = (job.recipe.enhancer_version, job.recipe.scorer_version)
        if here != planned:
            raise ModelError(
                f"this worker has enhancer and scorer versions {here}, the job was planned with "
                f"{planned}; install the same version of trigger on every machine"
            )

    def process(self, shard: Shard) -> None:
        """Label one shard and count what became of its photos."""
        report = label_shard(shard, self._job, self._enhancer, self._scorer)
        Metrics.counter(NAMESPACE, "labelled").inc(report.labelled)
        for reason, count in report.rejected.items():
            Metrics.counter(NAMESPACE, f"rejected_{reason}").inc(count)
        for stage, seconds in report.seconds.items():  # counters hold whole numbers
            Metrics.counter(NAMESPACE, f"{stage}_microseconds").inc(round(seconds * 1e6))


def beam_options(flags: Sequence[str]) -> PipelineOptions:
    """Options for Beam from the command line; unlike Beam's own reading, misspelt ones fail.

    Raises:
        OptionError: a flag is unknown to Beam or is not written as --name or --name=value.
    """
    odd = [flag for flag in flags if not flag.startswith("--") or flag == "--"]
    if odd:
        raise OptionError(
            f"Beam option {odd[0]!r} is not of the form --name or --name=value (after the --)"
        )
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            options = PipelineOptions(list(flags))
            given = set(options.get_all_options(retain_unknown_options=True))
            unknown = given - set(options.get_all_options())
    except SystemExit:  # how argparse refuses the value of a known option
        said = complaint.getvalue().strip().splitlines()[-1:] or ["it does not say why"]
        raise OptionError(f"Beam refuses {' '.join(flags)}: {said[0]}") from None
    if unknown:
        raise OptionError(
            f"Beam has no option {', '.join('--' + name for name in sorted(unknown))}; its options "
            "are listed at https://beam.apache.org/documentation/runners/"
        )
    return options


def run_shards(
    shards: Sequence[Shard], job: Job, workers: int, flags: Sequence[str]
) -> dict[str, int]:
    """Run the graph and wait for its end.

    Args:
        shards: what to label.
        job: how.
        workers: processes on this machine; 1 means in this one. Not used where the flags name
            another runner.
        flags: options for Beam.

    Returns:
        Beam's counters by name.

    Raises:
        EngineError: the engine or a shard failed. Finished shards are kept.
        OptionError: Beam does not know one of the flags.
    """
    options = beam_options(flags)
    own_workers = workers > 1 and options.view_as(StandardOptions).runner is None
    if own_workers:
        log, lease = (Path(job.folder) / name for name in (WORKER_LOG, WORKER_LEASE))
        log.unlink(missing_ok=True)
        environment = SubprocessSDKEnvironment.from_command_string(worker_command(lease, log))
        runner = FnApiRunner(environment)
        options.view_as(DirectOptions).direct_num_workers = workers
    elif options.view_as(StandardOptions).runner is None:
        # Named outright, because Beam's default runner downloads a program before it starts.
        runner = FnApiRunner()
    else:
        runner = None
    pipeline = beam.Pipeline(runner=runner, options=options)
    (
        pipeline
        | "shards" >> beam.Create(shards)
        | "spread" >> beam.Reshuffle()
        | "label" >> beam.ParDo(LabelShard(job))
    )
    try:
        counters = supervise(lambda: _finish(pipeline), lease) if own_workers else _finish(pipeline)
    except Exception as error:  # engines raise anything, with whole tracebacks as text
        if isinstance(error, WorkerDiedError):
            cause = f"a worker was killed or crashed (is memory short? see {log})"
        else:
            cause = next(reversed(str(error).strip().splitlines()), type(error).__name__)
        raise EngineError(
            f"labelling stopped: {cause}. Finished shards are kept; run the same command again "
            "to go on"
        ) from error
    if own_workers:
        log.unlink(missing_ok=True)
    return counters


def _finish(pipeline: beam.Pipeline) -> dict[str, int]:
    result = pipeline.run()
    result.wait_until_finish()
    counters = result.metrics().query()["counters"]
    return {counter.key.metric.name: counter.result for counter in counters}
