"""The Beam graph of labelling: Create(names of shards) | Reshuffle | ParDo(label a shard).

Shards are read from the labels folder and their results written to it. So the graph has no outputs
that an engine could lose, and the files alone show whether an engine did its work.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import create_runner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from pipelines.data.processes import safe_imports
from pipelines.data.storage import Folder
from pipelines.labelling.labeller import Job, Labeller
from pipelines.labelling.plan import read_plan
from pipelines.labelling.worker import WorkerDiedError, supervise, worker_command
from trigger.errors import OptionError, TriggerError

NAMESPACE = "trigger"
DASK = "apache_beam.runners.dask.dask_runner.DaskRunner"
LEASE = "run-while-this-exists"
_LOCK = threading.Lock()
_IDLE: list[Labeller] = []


class EngineError(TriggerError):
    """The engine failed, or reported success without doing all its work."""


@contextlib.contextmanager
def _labeller(job: Job) -> Iterator[Labeller]:
    """Borrow a labeller that no other thread uses; models are loaded only if none is idle."""
    with _LOCK:
        labeller = next((idle for idle in _IDLE if idle.job == job), None)
        if labeller:
            _IDLE.remove(labeller)
    labeller = labeller or Labeller(job)
    try:
        yield labeller
    except BaseException:
        labeller.end()
        raise
    _lend(labeller)


def _lend(labeller: Labeller) -> None:
    """Make a labeller available to this process's shards; end those of other jobs."""
    with _LOCK:
        ended = [idle for idle in _IDLE if idle.job != labeller.job]
        _IDLE[:] = [idle for idle in _IDLE if idle.job == labeller.job] + [labeller]
    for idle in ended:
        idle.end()


def _end_idle() -> None:
    """Free the memory of models when a run is over."""
    with _LOCK:
        ended, _IDLE[:] = list(_IDLE), []
    for idle in ended:
        idle.end()


class LabelShard(beam.DoFn):
    """Labels the shards whose names it is given."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def process(self, shard: str) -> None:
        """Label one shard and count its labels and rejects."""
        with _labeller(self._job) as labeller:
            report = labeller.label(read_plan(Folder(self._job.folder), shard))
        Metrics.counter(NAMESPACE, "labelled").inc(report.labelled)
        Metrics.counter(NAMESPACE, "broken_profiles").inc(report.broken_profiles)
        for reason, count in report.rejected.items():
            Metrics.counter(NAMESPACE, f"rejected_{reason}").inc(count)
        for stage, seconds in report.seconds.items():  # counters hold whole numbers
            Metrics.counter(NAMESPACE, f"{stage}_microseconds").inc(round(seconds * 1e6))


def runner_flags(runner: str | None) -> list[str]:
    """Return Beam flags that choose a runner; "dask" is short for Beam's name of it."""
    return [f"--runner={DASK if runner == 'dask' else runner}"] if runner else []


def beam_options(flags: Sequence[str]) -> PipelineOptions:
    """Parse options for Beam; unlike in Beam's own parser, unknown ones are errors.

    Raises:
        OptionError: a flag or runner is unknown to Beam, or not written as --name or --name=value.
    """
    odd = [flag for flag in flags if not flag.startswith("--") or flag == "--"]
    if odd:
        raise OptionError(
            f"Beam option {odd[0]!r} is not of the form --name or --name=value (after the --)"
        )
    if f"--runner={DASK}" in flags:
        importlib.import_module(DASK.rpartition(".")[0])  # Beam then knows its options
    messages = io.StringIO()
    try:
        with contextlib.redirect_stderr(messages):
            options = PipelineOptions(list(flags))
            given = set(options.get_all_options(retain_unknown_options=True))
            unknown = given - set(options.get_all_options())
    except SystemExit:  # how argparse refuses the value of a known option
        output = messages.getvalue().strip().splitlines()[-1:] or ["it gives no reason"]
        raise OptionError(f"Beam refuses {' '.join(flags)}: {output[0]}") from None
    if unknown:
        raise OptionError(
            f"Beam has no option {', '.join('--' + name for name in sorted(unknown))}; its options "
            "are listed at https://beam.apache.org/documentation/runners/"
        )
    if runner := options.view_as(StandardOptions).runner:
        try:
            create_runner(runner)
        except (ValueError, ImportError, AttributeError) as error:
            raise OptionError(
                f"runner {runner!r} cannot be used: {str(error).strip()}. Known are dask, "
                "PortableRunner, FlinkRunner, SparkRunner, and with apache-beam[gcp] DataflowRunner"
            ) from error
    return options


def add_graph(pipeline: beam.Pipeline, shards: Sequence[str], job: Job) -> None:
    """Add the graph, of transforms that every engine supports."""
    (
        pipeline
        | "shards" >> beam.Create(shards)
        | "spread" >> beam.Reshuffle()
        | "label" >> beam.ParDo(LabelShard(job))
    )


def run_shards(
    shards: Sequence[str], labeller: Labeller, workers: int, flags: Sequence[str]
) -> dict[str, int]:
    """Run the graph and wait for its end.

    Args:
        shards: names of the shards.
        labeller: holds the job; labels if only this process is used.
        workers: processes on this machine; 1: this process. Ignored if the flags name another
            runner.
        flags: options for Beam.

    Returns:
        Beam's counters by name; empty if the engine does not support them.

    Raises:
        EngineError: the engine or a shard failed. Finished shards are kept.
        OptionError: Beam does not know one of the flags.
    """
    if f"--runner={DASK}" in flags and not any("--dask_npartitions" in flag for flag in flags):
        # By default up to 128 shards would go to one worker.
        flags = [*flags, f"--dask_npartitions={len(shards)}"]
    options = beam_options(flags)
    pipeline: Callable[[FnApiRunner | None], dict[str, int]] = functools.partial(
        _run, shards, labeller.job, options
    )
    try:
        if options.view_as(StandardOptions).runner is not None:
            with safe_imports():  # Dask, for one, may start workers here
                return pipeline(None)
        if workers > 1:
            options.view_as(DirectOptions).direct_num_workers = workers
            return _run_in_workers(pipeline)
        _lend(labeller)
        # Named explicitly: Beam's default runner downloads a program before it starts.
        return pipeline(FnApiRunner())
    except Exception as error:  # engines raise anything, with whole tracebacks as text
        if _was_interrupted(error):
            raise KeyboardInterrupt from error
        cause = next(reversed(str(error).strip().splitlines()), type(error).__name__)
        raise EngineError(
            f"labelling stopped: {cause}. Finished shards are kept; run the same command again "
            "to continue"
        ) from error
    finally:
        _end_idle()


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether ^C caused what Beam raised, as it wraps it as an error of the shard."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _run(
    shards: Sequence[str], job: Job, options: PipelineOptions, runner: FnApiRunner | None
) -> dict[str, int]:
    pipeline = beam.Pipeline(runner=runner, options=options)
    add_graph(pipeline, shards, job)
    result = pipeline.run()
    try:
        result.wait_until_finish()
    finally:
        if client := getattr(result, "client", None):  # Dask's stays connected
            client.close()
    try:
        counters = result.metrics().query()["counters"]
    except NotImplementedError:  # Dask's
        return {}
    return {counter.key.metric.name: counter.result for counter in counters}


def _scratch_folder() -> Path:
    """Make a folder named for this process; remove those of processes that were killed."""
    prefix = "trigger-workers-"
    for old in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        driver = old.name.removeprefix(prefix).partition("-")[0]
        # A log that the user was pointed to is kept: its driver removed the lease.
        if driver.isdigit() and not _runs(int(driver)) and (old / LEASE).exists():
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-"))


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        return True
    return True


def _run_in_workers(pipeline: Callable[[FnApiRunner], dict[str, int]]) -> dict[str, int]:
    scratch = _scratch_folder()
    log, lease = scratch / "log", scratch / LEASE
    environment = SubprocessSDKEnvironment.from_command_string(worker_command(lease, log))
    try:
        counters = supervise(lambda: pipeline(FnApiRunner(environment)), lease)
    except WorkerDiedError:
        raise EngineError(f"a worker was killed or crashed (is memory short? see {log})") from None
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    shutil.rmtree(scratch, ignore_errors=True)
    return counters
