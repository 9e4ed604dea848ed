"""Engines other than this process, each started for the test; the labels must be the same."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apache_beam as beam
import pytest
from label_helpers import (
    RECIPE,
    assert_same_labels,
    command,
    environment,
    label,
    start,
    wait_for_labels,
)

from pipelines.labelling.beam import add_graph
from pipelines.labelling.labeller import Job

# What every engine that speaks Beam's model has.
PORTABLE = {
    "beam:transform:impulse:v1",
    "beam:transform:pardo:v1",
    "beam:transform:flatten:v1",
    "beam:transform:group_by_key:v1",
    "beam:transform:reshuffle:v1",
}

pytestmark = pytest.mark.usefixtures("models")


@contextmanager
def service(
    arguments: list[str], tmp_path: Path, port: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of a cluster, from when it listens at the port, if it is to."""
    log = tmp_path / f"{len(list(tmp_path.glob('*.log')))}.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env=environment(tmp_path, seconds=0.3),
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 60
        while port and not listens(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # with the workers it has started
        process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_dask_cluster_labels_the_same_also_when_a_worker_is_killed(
    photos: Path, tmp_path: Path
) -> None:
    pytest.importorskip("distributed")
    label(photos, tmp_path / "calm")
    out = tmp_path / "out"
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ["distributed.cli.dask_scheduler", "--no-dashboard", "--host=127.0.0.1"]
    worker = ["distributed.cli.dask_worker", address, "--nthreads=1", "--no-dashboard"]
    worker += ["--no-nanny", f"--local-directory={tmp_path}"]
    with (
        service([*scheduler, f"--port={port}"], tmp_path, port),
        service(worker, tmp_path) as first,
        service(worker, tmp_path),
    ):
        cluster = ["--runner=dask", f"--dask-address={address}"]
        driver = start(command(photos, out, *cluster, "--shard-size=1"), tmp_path, seconds=0)
        wait_for_labels(out, driver, shards=2)
        first.kill()
        output, errors = driver.communicate(timeout=300)
        assert driver.returncode == 0, errors
    assert "8 labelled" in output
    assert_same_labels(out, tmp_path / "calm")


def test_a_portable_job_service_with_a_worker_pool_labels_the_same(
    photos: Path, tmp_path: Path
) -> None:
    label(photos, tmp_path / "calm")
    out = tmp_path / "out"
    jobs, workers = free_port(), free_port()
    job_service = ["apache_beam.runners.portability.local_job_service_main", f"--port={jobs}"]
    pool = ["apache_beam.runners.worker.worker_pool_main", f"--service_port={workers}"]
    with (
        service(job_service, tmp_path, jobs),
        service(pool, tmp_path, workers),
    ):
        options = ["--runner=PortableRunner", "--", f"--job_endpoint=localhost:{jobs}"]
        options += ["--environment_type=EXTERNAL", f"--environment_config=localhost:{workers}"]
        driver = start(command(photos, out, "--shard-size=2", *options), tmp_path, seconds=0)
        output, errors = driver.communicate(timeout=300)
        assert driver.returncode == 0, errors
    assert "8 labelled" in output
    assert_same_labels(out, tmp_path / "calm")


def test_the_graph_holds_nothing_that_flink_spark_or_dataflow_lack() -> None:
    pipeline = beam.Pipeline()
    job = Job("/labels", ("brighten",), "brightness", (RECIPE,), None, 60)
    add_graph(pipeline, ["a-1", "b-1"], job)
    transforms = pipeline.to_runner_api().components.transforms.values()
    leaves = [transform for transform in transforms if not transform.subtransforms]
    assert {transform.spec.urn for transform in leaves} <= PORTABLE
    for transform in leaves:
        if transform.spec.urn == "beam:transform:pardo:v1":
            payload = beam.portability.api.beam_runner_api_pb2.ParDoPayload.FromString(
                transform.spec.payload
            )
            assert not payload.side_inputs
            assert not payload.state_specs
            assert not payload.timer_family_specs
            assert not payload.restriction_coder_id
            assert len(transform.outputs) == 1
