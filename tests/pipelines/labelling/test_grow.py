"""Labels folders that grow: other enhancers, dry runs, status, compaction, the lock."""

from __future__ import annotations

import math
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from label_helpers import (
    RECIPE,
    Pixels,
    command,
    contents,
    label,
    label_bytes,
    start,
    wait_for_labels,
)
from label_models import Brighten, Brightness
from PIL import Image

from pipelines.data.enhanced_copies import decode_enhanced, encode_enhanced
from pipelines.data.label_files import _warn, label_file, write_labels
from pipelines.data.label_run import write_run
from pipelines.data.label_schema import LABEL_SCHEMA
from pipelines.data.labels import read_labels
from pipelines.data.lock import LockedError
from pipelines.data.rejects import read_rejects
from pipelines.data.storage import Folder
from pipelines.labelling import compact as label_compact
from pipelines.labelling.compact import compact_labels
from pipelines.labelling.plan import make_plan
from pipelines.labelling.status import label_status
from trigger.cli.app import main
from trigger.errors import DataError, OptionError
from trigger.photo import read_photo

Captured = pytest.CaptureFixture[str]
BOTH = ("brighten", "darken")

pytestmark = pytest.mark.usefixtures("models")


def test_several_enhancers_in_one_pass_give_the_labels_of_each_alone(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = 0

    def score(self: Brightness, batch: Sequence[Pixels]) -> npt.NDArray[np.float32]:
        nonlocal scored
        scored += len(batch)
        return plain(self, batch)

    plain = Brightness.score
    with monkeypatch.context() as patch:
        patch.setattr(Brightness, "score", score)
        run = label(photos, tmp_path / "both", enhancers=BOTH)
    assert scored == 8 * 3  # every photo once, not once for each enhancer
    assert run.counts.labelled == 8
    assert run.deltas["darken"].mean < 0 < run.deltas["brighten"].mean
    for enhancer in BOTH:
        label(photos, tmp_path / "one by one", enhancers=(enhancer,))
    assert label_bytes(tmp_path / "one by one") == label_bytes(tmp_path / "both")
    assert len(read_labels(tmp_path / "both", enhancer="darken")) == 8
    again = label(photos, tmp_path / "one by one", enhancers=BOTH)
    assert again.counts.already == 8


def test_an_added_enhancer_labels_what_it_has_not_seen(
    photos: Path, photographs: Mapping[str, Pixels], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    label(photos, out)
    Image.fromarray(photographs["coffee"][:50, :60]).save(photos / "new.png")
    Image.fromarray(photographs["coffee"][:40, :31]).save(photos / "raises.png")
    run = label(photos, out, enhancers=BOTH)
    assert run.plan.labels == {"brighten": 2, "darken": 10}
    assert len(read_labels(out, enhancer="brighten")) == 9
    assert len(read_labels(out, enhancer="darken")) == 10
    assert (run.counts.rejected, run.counts.labelled) == (1, 9)
    assert list(read_rejects(out)["enhancer"]) == ["brighten"]


def test_photos_that_one_enhancer_of_two_managed_are_no_failure(
    photographs: Mapping[str, Pixels], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "raises.png"
    Image.fromarray(photographs["coffee"][:40, :31]).save(photo)
    assert main(command(photo, tmp_path / "both", "--enhancer=darken")) == 0
    assert len(read_labels(tmp_path / "both")) == 1
    assert main(command(photo, tmp_path / "one")) == 1
    assert "none of 1 photos could be labelled" in capsys.readouterr().err
    (tmp_path / "text.jpg").write_text("Dear diary")
    assert main(command(tmp_path / "text.jpg", tmp_path / "none", "--enhancer=darken")) == 1


def test_another_scorer_looks_at_the_enhanced_photos_that_are_there(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enhanced = 0

    def enhance(self: Brighten, photo: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        nonlocal enhanced
        enhanced += 1
        return plain(self, photo)

    plain = Brighten.enhance
    monkeypatch.setattr(Brighten, "enhance", enhance)
    out, fresh, lossy = tmp_path / "out", tmp_path / "fresh", tmp_path / "lossy"
    label(photos, out)
    label(photos, lossy, enhanced_format="jpeg")
    cut, changed, *_ = sorted(out.rglob("enhanced/*/*/*.png"))
    cut.write_bytes(cut.read_bytes()[:-200])
    with Image.open(changed) as image:
        size = image.size
    Image.new("RGB", size).save(changed)
    monkeypatch.setattr(Brightness, "version", "2")
    calls = []
    for folder, options in ((out, {}), (fresh, {}), (lossy, {"enhanced_format": "jpeg"})):
        enhanced = 0
        label(photos, folder, **options)
        calls.append(enhanced)
    assert calls == [2, 8, 8]  # what was damaged, all, and all: JPEG is not what was scored
    for name in ("out", "lossy"):
        again = read_labels(tmp_path / name, scorer="brightness 2").reset_index(drop=True)
        pd.testing.assert_frame_equal(again, read_labels(fresh).reset_index(drop=True))
    enhanced = 0
    label(photos, out)
    assert enhanced == 0


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    photos: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "out"
    (photos / "empty.jpg").touch()
    (photos / "copy.png").write_bytes((photos / "coffee.png").read_bytes())
    assert main(command(photos, out, "--dry-run")) == 0
    assert not out.exists()
    said = capsys.readouterr().out
    assert "10 photos = 8 to label + 0 labelled before + 1 duplicate + 1 unreadable" in said
    label(photos, out)
    before = contents(out)
    assert label(photos, out, enhancers=BOTH, dry_run=True).plan.labels == {
        "brighten": 0,
        "darken": 8,
    }
    assert contents(out) == before


def test_status_tells_of_a_run_that_runs_was_killed_and_is_finished(
    photos: Path, tmp_path: Path, capsys: Captured
) -> None:
    (photos / "empty.jpg").touch()
    out = tmp_path / "out"
    driver = start(command(photos, out, "--shard-size=1"), tmp_path, seconds=0.3)
    wait_for_labels(out, driver, shards=2)
    running = label_status(out)
    with pytest.raises(LockedError, match=f"in use by process {driver.pid} on .*; wait"):
        label(photos, out)
    with pytest.raises(LockedError):
        compact_labels(out)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    assert (running.state, running.running) == ("labelling", True)
    assert running.photos == 9
    killed = label_status(out)
    assert killed.running is False
    assert killed.remaining in range(1, 8)
    with pytest.raises(DataError, match="stopped before its end"):
        compact_labels(out)
    assert main(["labels", "status", str(out)]) == 0
    assert "run the same trigger label command again" in capsys.readouterr().out
    label(photos, out)
    finished = label_status(out)
    assert (finished.state, finished.done, finished.rejected) == ("finished", 9, 1)


def test_status_counts_what_is_done_and_expects_the_pace_so_far(
    photos: Path, tmp_path: Path
) -> None:
    (photos / "empty.jpg").touch()
    out, begin = tmp_path / "out", datetime(2025, 1, 1, tzinfo=UTC)
    run = replace(label(photos, out), state="labelling", labelling_since=begin.isoformat())
    shutil.rmtree(out / "labels")
    write_run(Folder(out), run)
    paths = [str(path) for path in photos.rglob("*.png")]
    first, *_ = make_plan(paths, [RECIPE], Folder(out), 2, 1, dry=False).shards
    write_labels(out, first, [])
    when = (begin + timedelta(seconds=10)).timestamp()
    os.utime(out / label_file(first), (when, when))
    status = label_status(out)
    # Two of eight took 10 s, and the unreadable one takes none.
    assert (status.done, status.remaining, status.seconds_left) == (3, 6, 30)


def test_compaction_merges_files_keeps_the_set_and_removes_what_the_killed_left(
    photos: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    label(photos, out, shard_size=1, enhancers=BOTH)
    before = label_bytes(out)
    (out / "labels" / ".ab.parquet.1234.tmp").write_bytes(b"half")
    (out / "enhanced" / ".ab.png.1234.tmp").write_bytes(b"half")
    assert main(["labels", "compact", str(out)]) == 0
    assert "16 labels in 8 files -> 1 file; 2 temporary files" in capsys.readouterr().out
    assert not list(out.rglob("*.tmp"))
    assert label_bytes(out) == before
    (compacted,) = (out / "labels").iterdir()
    assert compacted.read_bytes() == before
    assert label(photos, out, enhancers=BOTH).counts.already == 8
    monkeypatch.setattr(label_compact, "ROWS_PER_FILE", 5)
    assert compact_labels(out).files_after == 4
    parts = contents(out / "labels")
    assert sorted(pq.read_table(out / "labels" / name).num_rows for name in parts) == [1, 5, 5, 5]
    assert label_bytes(out) == before
    assert compact_labels(out).files_before == 4
    assert contents(out / "labels") == parts  # a second time changes nothing


def test_enhanced_photos_of_any_size_are_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.arange(40 * 50 * 3, dtype=np.uint8).reshape(40, 50, 3)
    data = encode_enhanced(pixels, "png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # by it, Pillow refuses others
    np.testing.assert_array_equal(decode_enhanced(data), pixels)
    assert decode_enhanced(data.replace(b"pixels-sha256", b"pixels-sha257")) is None


def test_enhanced_photos_of_other_formats_look_the_same(coffee: Pixels) -> None:
    for stored_as in ("jpeg", "webp"):
        seen = read_photo(encode_enhanced(coffee, stored_as)).pixels
        assert np.abs(seen.astype(int) - coffee).mean() < 2.2


def test_an_enhancer_named_twice_is_an_error(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="name each once"):
        label(photos, tmp_path / "out", enhancers=("brighten", "brighten"))
    assert not (tmp_path / "out").exists()


def test_labels_of_earlier_versions_stay_readable(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    label(photos, out)
    before = label_bytes(out)
    for file in (out / "labels").iterdir():
        table = pq.read_table(file)
        place = table.schema.get_field_index("input_distribution")
        fixed = pa.field("input_distribution", pa.list_(pa.float32(), 10), nullable=False)
        pq.write_table(table.cast(table.schema.set(place, fixed)), file)
    (out / "labels" / "._ab-1.parquet").write_bytes(b"what macOS leaves on other disks")
    assert label_bytes(out) == before


def test_files_that_are_no_labels_are_named_and_block_nothing(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    label(photos, out, shard_size=4)
    before = label_bytes(out)
    folder = out / "labels"
    whole = pq.read_table(next(folder.iterdir()))
    pq.write_table(pa.table({"a": [1]}), folder / "foreign.parquet")
    pq.write_table(whole.drop_columns("preprocessing"), folder / "old.parquet")
    place = whole.schema.get_field_index("delta")
    text = pa.array(["?"] * whole.num_rows)
    pq.write_table(whole.set_column(place, "delta", text), folder / "text.parquet")
    twice = [*whole.columns, whole["delta"]]
    names = [*whole.column_names, "delta"]
    pq.write_table(pa.Table.from_arrays(twice, names), folder / "twice.parquet")
    place = whole.schema.get_field_index("input_distribution")
    pq.write_table(whole.set_column(place, "input_distribution", text), folder / "list.parquet")
    rows = whole.to_pylist()
    odd = [
        rows[0] | {"photo": "c" * 64, "delta": math.nan},
        rows[0] | {"photo": "d" * 64, "enhanced_score": math.inf},
    ]
    pq.write_table(pa.Table.from_pylist(odd, LABEL_SCHEMA), folder / "odd.parquet")
    name = pa.Table.from_pylist([rows[0] | {"enhancer": "../x"}], LABEL_SCHEMA)
    pq.write_table(name, folder / "name.parquet")
    gaps = [
        rows[0] | {"photo": "a" * 64, "delta": None},
        rows[0] | {"photo": None},
        rows[0] | {"photo": "../../x"},
        rows[0] | {"photo": "b" * 64, "enhancer": ""},
        rows[0],
    ]
    loose = pa.schema([field.with_nullable(True) for field in LABEL_SCHEMA])
    pq.write_table(pa.Table.from_pylist(gaps, loose), folder / "gaps.parquet")
    foreign = {name: contents(folder)[name] for name in ("foreign.parquet", "gaps.parquet")}
    _warn.cache_clear()
    assert label_bytes(out) == before
    for name, words in (
        ("foreign", "lacks the column photo, path"),
        ("old", "lacks the column preprocessing"),
        ("text", "column delta is string, not float"),
        ("twice", "has the column delta twice"),
        ("list", "column input_distribution is string"),
        ("gaps", "rows that are not whole labels (4 of 5)"),
        ("odd", "rows that are not whole labels (2 of 2)"),
        ("name", "rows that are not whole labels (1 of 1)"),
    ):
        (message,) = (said for said in caplog.messages if f"/{name}.parquet" in said)
        assert words in message
    assert label(photos, out).counts.already == 8
    assert len(read_labels(out)) == 8
    assert main(["labels", "report", str(out)]) == 0
    compact_labels(out)
    assert label_bytes(out) == before
    assert foreign.items() <= contents(folder).items()


def test_compaction_gives_the_same_files_however_the_labels_were_made(
    photos: Path, tmp_path: Path
) -> None:
    for name, sizes in (("a", [3]), ("b", [1, 8])):
        for number, size in enumerate(sizes):
            source = photos if number == len(sizes) - 1 else photos / "sub"
            label(source, tmp_path / name, shard_size=size)
        compact_labels(tmp_path / name)
    assert contents(tmp_path / "a" / "labels") == contents(tmp_path / "b" / "labels")


def test_leftovers_of_killed_runs_are_removed_by_the_next(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    label(photos, out)
    (out / "plan" / "ab-1.json").write_text("{}")
    (out / "labels" / ".12ab.tmp").write_bytes(b"half")
    label(photos, out)
    assert not list(out.rglob("*.tmp"))
    assert not list(out.glob("plan/*"))
