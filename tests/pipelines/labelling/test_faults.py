"""Faults: whatever happens, a rerun ends with the labels of an undisturbed run."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from label_helpers import (
    RECIPE,
    Pixels,
    assert_same_labels,
    command,
    contents,
    label,
    start,
    wait_for_labels,
)
from label_models import Brighten
from PIL import Image

from pipelines.data.label_schema import LABEL_SCHEMA
from pipelines.data.labels import read_labels
from pipelines.data.rejects import read_rejects
from pipelines.data.storage import Folder
from pipelines.labelling import beam as engine
from pipelines.labelling.compact import compact_labels
from pipelines.labelling.labeller import MAX_HUNG_THREADS, Job, Labeller
from pipelines.labelling.plan import make_shard, read_plan
from trigger.cli.app import main
from trigger.errors import DataError, ModelError
from trigger.photo import photo_hash

Captured = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("models")


def test_a_run_killed_anywhere_is_completed_by_running_it_again(
    photos: Path, tmp_path: Path
) -> None:
    (photos / "text.jpg").write_text("Dear diary")
    label(photos, tmp_path / "calm")
    out = tmp_path / "killed"

    def planned() -> bool:
        return any((out / "plan").glob("*.json"))

    def labelled(count: int) -> bool:
        return len(list((out / "labels").glob("*.parquet"))) >= count

    for moment in (planned, lambda: labelled(2), lambda: labelled(5)):
        driver = start(command(photos, out, "--shard-size=1"), tmp_path, seconds=0.3)
        while not moment():
            assert driver.poll() is None, driver.communicate()
            time.sleep(0.01)
        driver.send_signal(signal.SIGKILL)
        driver.communicate()
        assert json.loads((out / "run.json").read_text())["state"] in ("planning", "labelling")
    done = len(read_labels(out))
    assert 4 <= done < 8  # the reject has a file, too
    counts = label(photos, out).counts
    assert (counts.already, counts.labelled, counts.rejected) == (done, 8 - done, 1)
    assert_same_labels(out, tmp_path / "calm")
    compact_labels(out)
    assert_same_labels(out, tmp_path / "calm")
    assert not list(out.rglob("*.tmp"))


def test_worker_processes_label_the_same_and_their_death_does_not_hang_the_job(
    photos: Path, tmp_path: Path
) -> None:
    label(photos, tmp_path / "calm")
    out = tmp_path / "out"
    arguments = command(photos, out, "--workers=2", "--shard-size=1")
    driver = start(arguments, tmp_path, seconds=0.5)
    wait_for_labels(out, driver, shards=1)
    children = Path(f"/proc/{driver.pid}/task/{driver.pid}/children")
    if not children.exists():
        driver.kill()
        driver.communicate()
        pytest.skip("finds worker processes through Linux's /proc")
    workers = [
        int(child)
        for task in Path(f"/proc/{driver.pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    output, errors = driver.communicate()
    assert (driver.returncode, output) == (1, "")
    assert "a worker was killed" in errors
    assert "Traceback" not in errors
    assert 1 <= len(read_labels(out)) < 8

    driver = start(arguments, tmp_path, seconds=0)
    output, errors = driver.communicate()
    assert (driver.returncode, errors) == (0, "")
    assert "labelled before" in output
    assert_same_labels(out, tmp_path / "calm")
    for worker in workers:
        assert not Path(f"/proc/{worker}").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_is_imported_from_the_current_folder(
    photos: Path, tmp_path: Path, workers: int
) -> None:
    folder = tmp_path / "current"
    folder.mkdir()
    for module in ("cv2", "apache_beam", "numpy", "pipelines", "pickle", "logging"):
        (folder / f"{module}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    done = start(
        command(photos, tmp_path / "out", f"--workers={workers}"), tmp_path, seconds=0, cwd=folder
    )
    _, errors = done.communicate()
    assert (done.returncode, errors) == (0, "")
    assert not (tmp_path / "ran").exists()


def test_an_interrupted_run_says_so(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    # Long enough that a slow machine does not come to interrupt it when it has ended.
    process = start(command(photos, out, "--shard-size=1"), tmp_path, seconds=2)
    wait_for_labels(out, process, 1)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said[1]


def test_an_engine_that_says_done_is_not_believed(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lazy_engine(shards: Sequence[str], *arguments: Any) -> dict[str, int]:
        return run_shards(shards[1:], *arguments)

    run_shards = engine.run_shards
    label(photos, tmp_path / "calm")
    with monkeypatch.context() as patch:
        patch.setattr(engine, "run_shards", lazy_engine)
        with pytest.raises(engine.EngineError, match="1 of 4 shards are missing or incomplete"):
            label(photos, tmp_path / "out", shard_size=2)
    assert label(photos, tmp_path / "out").counts.labelled == 2
    assert_same_labels(tmp_path / "out", tmp_path / "calm")


def test_a_full_disk_ends_the_job_and_keeps_what_is_done(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def write(folder: Folder, name: str, data: bytes) -> None:
        if len(contents(out / "labels")) > 2:
            raise DataError(f"{name}: cannot be written (No space left on device)")
        whole(folder, name, data)

    whole = Folder.write
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "write", write)
        assert main(command(photos, out, "--shard-size=1")) == 1
    message = capsys.readouterr().err
    assert "No space left on device" in message
    assert "run the same command again" in message
    assert len(read_labels(out)) == 3
    assert label(photos, out).counts.rejected == 0
    assert len(read_labels(out)) == 8


def test_a_photo_that_changed_since_it_was_listed_is_a_reject(photos: Path, tmp_path: Path) -> None:
    job = Job(str(tmp_path), ("brighten",), "brightness", (RECIPE,), None, 60)
    shard = make_shard([RECIPE], [("0" * 64, str(photos / "coffee.png"))])
    report = Labeller(job).label(shard)
    assert report.rejected == {"changed": 1}
    table = pq.read_table(tmp_path / "labels" / f"{shard.name}.parquet")
    assert (table.schema, table.num_rows) == (LABEL_SCHEMA, 0)


def test_a_worker_of_another_version_labels_nothing(tmp_path: Path) -> None:
    other = replace(RECIPE, enhancer_version="2")
    job = Job(str(tmp_path), ("brighten",), "brightness", (other,), None, 60)
    with pytest.raises(ModelError, match="install the same version of trigger on every machine"):
        Labeller(job)


def test_a_second_try_at_a_shard_takes_back_the_rejects_of_the_first(
    photos: Path, tmp_path: Path
) -> None:
    photo, moved = photos / "coffee.png", photos / "moved.png"
    shard = make_shard([RECIPE], [(photo_hash(photo.read_bytes()), str(photo))])
    labeller = Labeller(Job(str(tmp_path), ("brighten",), "brightness", (RECIPE,), None, 60))
    photo.rename(moved)
    assert labeller.label(shard).rejected == {"missing": 1}
    moved.rename(photo)
    assert labeller.label(shard).labelled == 1
    assert read_rejects(tmp_path).empty


def test_an_enhancer_that_hangs_costs_one_label(
    photos: Path, photographs: Mapping[str, Pixels], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    Image.fromarray(photographs["coffee"][:40, :34]).save(photos / "hangs.png")
    run = label(photos, out, enhancers=("brighten", "darken"), photo_seconds=1, shard_size=20)
    assert run.rejects == {"timeout": 1}
    (reject,) = read_rejects(out).to_dict("records")
    assert (Path(reject["path"]).name, reject["enhancer"]) == ("hangs.png", "brighten")
    assert "--photo-seconds" in reject["message"]
    assert len(read_labels(out, enhancer="brighten")) == 8
    assert len(read_labels(out, enhancer="darken")) == 9


def test_photos_that_are_slow_but_end_do_not_end_the_job(
    photographs: Mapping[str, Pixels], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def enhance(_: Brighten, photo: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if photo.shape[1] == 50:
            go_on.wait()
            return photo
        go_on.set()
        for thread in set(threading.enumerate()) - others - {threading.current_thread()}:
            thread.join(1)
        go_on.clear()
        return photo

    monkeypatch.setattr(Brighten, "enhance", enhance)
    photos = []
    for number in range(2 * MAX_HUNG_THREADS + 2):
        path = tmp_path / f"{number}.png"
        width = (60, 50)[number % 2]
        Image.fromarray(photographs["coffee"][: 40 + number, :width]).save(path)
        photos.append((photo_hash(path.read_bytes()), str(path)))
    job = Job(str(tmp_path), ("brighten",), "brightness", (RECIPE,), None, 0.2)
    others = set(threading.enumerate())  # such as those of tests in which an enhancer hangs
    report = Labeller(job).label(make_shard([RECIPE], photos))
    go_on.set()
    assert (report.labelled, report.rejected) == (
        MAX_HUNG_THREADS + 1,
        {"timeout": MAX_HUNG_THREADS + 1},
    )


def test_an_enhancer_that_hangs_again_and_again_ends_the_job(
    photographs: Mapping[str, Pixels], tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for height in range(MAX_HUNG_THREADS + 1):
        Image.fromarray(photographs["coffee"][: 40 + height, :34]).save(photos / f"{height}.png")
    with pytest.raises(engine.EngineError, match="fix the enhancer"):
        label(photos, tmp_path / "out", photo_seconds=0.05)


def test_a_labels_folder_that_vanishes_ends_the_job(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    driver = start(command(photos, out, "--shard-size=1"), tmp_path, seconds=0.3)
    wait_for_labels(out, driver, shards=2)
    out.rename(tmp_path / "elsewhere")
    _, errors = driver.communicate()
    assert driver.returncode == 1
    assert f"{out}: the folder is gone" in errors
    assert not out.exists()
    (tmp_path / "elsewhere").rename(out)
    label(photos, out)
    label(photos, tmp_path / "calm")
    assert_same_labels(out, tmp_path / "calm")


def test_a_shard_whose_folder_or_plan_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone: the folder is gone"):
        read_plan(Folder(tmp_path / "gone"), "ab-1")
    with pytest.raises(DataError, match=r"plan/ab-1\.json: cannot be read"):
        read_plan(Folder(tmp_path), "ab-1")
