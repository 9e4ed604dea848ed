from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

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
)
from label_models import Brightness
from PIL import Image

from pipelines.data import label_files, labels
from pipelines.data.label_run import Counts, read_run
from pipelines.data.label_schema import LABEL_SCHEMA, Recipe
from pipelines.data.labels import read_labels
from pipelines.data.rejects import read_rejects
from pipelines.labelling import beam as engine
from pipelines.labelling.summary import describe_deltas, summary_text
from trigger.cli.app import main
from trigger.errors import DataError, OptionError
from trigger.photo import photo_hash, read_photo

Captured = pytest.CaptureFixture[str]

BAD_WIDTHS = {"raises": 31, "nan": 32, "shape": 33, "exits": 35, "chatters": 36, "bytes": 37}

pytestmark = pytest.mark.usefixtures("models")


def test_a_label_holds_both_scores_and_where_they_come_from(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = label(photos, out)
    rows = read_labels(out)
    assert run.counts == Counts(photos=8, labelled=8, already=0, duplicates=0, rejected=0)
    assert list(rows.columns) == LABEL_SCHEMA.names
    assert rows["photo"].is_monotonic_increasing
    for row in rows.to_dict("records"):
        original = Path(row["path"])
        assert original.is_absolute()
        assert row["photo"] == photo_hash(original.read_bytes())
        assert (row["width"], row["height"]) == (64, 48)
        enhanced = read_photo(out / labels.enhanced_file(RECIPE, row["photo"], "png"))
        before, after = Brightness().score([read_photo(original).pixels, enhanced.pixels])
        np.testing.assert_array_equal(row["input_distribution"], before)
        opinions = np.arange(1, 11)
        assert row["input_score"] == pytest.approx(before @ opinions, abs=1e-5)
        assert row["enhanced_score"] == pytest.approx(after @ opinions, abs=1e-5)
        gain = row["enhanced_score"] - row["input_score"]
        assert row["delta"] == pytest.approx(gain, abs=1e-6)
    assert Recipe(*rows[labels.RECIPE_COLUMNS].iloc[0]) == RECIPE
    assert run.deltas["brighten"].mean == pytest.approx(rows["delta"].mean(), abs=1e-4)
    assert read_run(out) == run
    assert read_photo(out / "deltas.png").width > 100


def test_a_delta_at_the_threshold_counts_as_above() -> None:
    deltas = np.array([-1, 0.5, 0.75, 1], np.float32)
    assert describe_deltas(deltas, 0.5).share_above == 0.75


def test_the_logs_of_the_program_that_labels_go_on(
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    score = Brightness.score

    def logged(self: Brightness, photos: Sequence[Pixels]) -> npt.NDArray[np.float32]:
        logging.getLogger("app").warning("scoring")
        return score(self, photos)

    monkeypatch.setattr(Brightness, "score", logged)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    label(photos, tmp_path / "out")
    assert (root.handlers, root.level) == before
    assert caplog.messages == ["scoring"] * 16


def test_what_was_not_changed_is_not_scored_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[Pixels] = []

    def score(self: Brightness, seen: Sequence[Pixels]) -> npt.NDArray[np.float32]:
        scored.extend(seen)
        return np.full((len(seen), 10), 0.1, np.float32)

    monkeypatch.setattr(Brightness, "score", score)
    label(photos, tmp_path / "out", enhancers=("keep",))
    assert (read_labels(tmp_path / "out")["delta"] == 0).all()
    assert len(scored) == 8


def test_broken_profiles_are_counted(photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "profiled"
    folder.mkdir()
    for number, profile in enumerate((b"no profile", None)):
        with Image.open(next(photos.rglob("*.png"))) as image:
            image.rotate(90 * number).save(folder / f"{number}.png", icc_profile=profile)
    run = label(folder, tmp_path / "labels")
    assert run.broken_profiles == 1
    assert "1 photo with a broken ICC profile, taken for sRGB" in summary_text(run)
    assert read_run(tmp_path / "labels").broken_profiles == 1


def test_broken_photos_are_recorded_and_the_job_goes_on(
    photos: Path, photographs: Mapping[str, Pixels], tmp_path: Path, capsys: Captured
) -> None:
    whole = (photos / "coffee.png").read_bytes()
    (photos / "cut.png").write_bytes(whole[: len(whole) // 2])
    (photos / "text.jpg").write_text("Dear diary")
    (photos / "empty.jpg").touch()
    (photos / "gone.jpg").symlink_to(tmp_path / "nowhere")
    os.mkfifo(photos / "pipe.jpg")
    (photos / "folder.jpg").mkdir()
    for name, width in BAD_WIDTHS.items():
        Image.fromarray(photographs["coffee"][:40, :width]).save(photos / f"{name}.png")
    (photos / "copy.png").write_bytes(whole)
    out = tmp_path / "out"
    assert main(command(photos, out, "--json")) == 0
    output = capsys.readouterr()
    run = json.loads(output.out)
    assert output.err == ""
    assert run["counts"] == {
        "photos": 20,
        "labelled": 8,
        "already": 0,
        "duplicates": 1,
        "rejected": 11,
    }
    rejects = read_rejects(out)
    reasons = zip(rejects["path"], rejects["reason"], strict=True)
    assert {Path(path).name: reason for path, reason in reasons} == {
        "cut.png": "truncated",
        "text.jpg": "not-a-photo",
        "empty.jpg": "empty",
        "gone.jpg": "missing",
        "pipe.jpg": "unreadable",
        **{f"{name}.png": "enhance" for name in BAD_WIDTHS},
    }
    assert run["rejects"] == rejects["reason"].value_counts().to_dict()
    messages = " ".join(rejects["message"])
    assert "RuntimeError: out of paint" in messages
    assert "not finite" in messages
    assert "(39, 33, 3)" in messages
    assert "SystemExit: 3" in messages
    assert "it must return floats from 0 to 1" in messages
    assert rejects["message"].str.len().max() == 2000
    assert len(contents(out / "enhanced")) == 8

    Image.fromarray(photographs["rocket"][:40, :60]).save(photos / "text.jpg")
    (photos / "empty.jpg").unlink()
    counts = label(photos, out).counts
    assert (counts.labelled, counts.rejected) == (1, 9) == (1, len(read_rejects(out)))


def test_a_grown_folder_labels_only_what_is_new(
    photos: Path, photographs: Mapping[str, Pixels], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    label(photos, out)
    before = contents(out / "labels")
    Image.fromarray(photographs["coffee"][:50, :60]).save(photos / "new.png")
    (photos / "again.png").write_bytes((photos / "coffee.png").read_bytes())
    counts = label(photos, out).counts
    assert (counts.labelled, counts.already, counts.duplicates) == (1, 8, 1)
    after = contents(out / "labels")
    assert before.items() <= after.items()
    assert len(after) == len(before) + 1
    assert len(read_labels(out)) == 9


def test_labels_do_not_depend_on_how_photos_are_sharded(photos: Path, tmp_path: Path) -> None:
    label(photos, tmp_path / "one", shard_size=1)
    label(photos, tmp_path / "all", shard_size=100)
    label(photos, tmp_path / "again", shard_size=100)
    assert_same_labels(tmp_path / "one", tmp_path / "all")
    assert contents(tmp_path / "again" / "labels") == contents(tmp_path / "all" / "labels")
    assert len(contents(tmp_path / "one" / "labels")) == 8


def test_photos_with_names_that_are_not_text(photos: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    (photos / "coffee.png").rename(photos / name)
    (photos / os.fsdecode(b"\xe9.jpg")).touch()
    label(photos, tmp_path / "out")
    assert str(photos / r"caf\udce9.png") in set(read_labels(tmp_path / "out")["path"])
    assert list(read_rejects(tmp_path / "out")["path"]) == [str(photos / r"\udce9.jpg")]


@pytest.mark.parametrize(
    ("option", "found"),
    [
        ("--enhanced-format=png", {".png": "PNG"}),
        ("--enhanced-format=jpeg", {".jpg": "JPEG"}),
        ("--enhanced-format=webp", {".webp": "WebP"}),
        ("--no-enhanced", {}),
    ],
)
def test_how_enhanced_photos_are_stored(
    photos: Path, tmp_path: Path, option: str, found: dict[str, str], capsys: Captured
) -> None:
    assert main(command(photos / "coffee.png", tmp_path / "out", option)) == 0
    files = list((tmp_path / "out" / "enhanced").rglob("*.*"))
    assert {path.suffix: read_photo(path).format for path in files} == found
    assert "1 photo = 1 labelled" in capsys.readouterr().out


def test_enhanced_photos_are_not_photos_to_label(photos: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert label(photos, photos / "labels").counts.photos == 8
    assert label(photos, photos / "others").counts.photos == 8
    link = tmp_path / "link"
    link.symlink_to(photos)
    assert label(link, photos / "labels").counts.photos == 8
    assert label(photos / "labels" / "enhanced", photos / "others").counts.photos == 8
    with pytest.raises(DataError, match="no photos found"):
        label(photos / "labels" / "enhanced", photos / "labels")
    shutil.rmtree(photos / "others")
    assert label(f"{photos}/**/*.png", link / "labels").counts.photos == 8


def test_a_mistyped_input_leaves_finished_labels_as_they_are(photos: Path, tmp_path: Path) -> None:
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    (photos / "text.jpg").write_text("Dear diary")
    label(photos, out)
    before = contents(out)
    assert any(name.startswith("rejects/") for name in before)
    for source in (empty, tmp_path / "gone.csv", "no-such-system://bucket"):
        with pytest.raises((DataError, OptionError)):
            label(source, out)
        with pytest.raises((DataError, OptionError)):
            label(source, tmp_path / "new")
    assert contents(out) == before
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(photos, tmp_path / "out")

    def refuse(_: str) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pipelines.data.storage.os.listdir", refuse)
    with pytest.raises(DataError, match="cannot be listed"):
        label(photos, tmp_path / "out")


def test_a_folder_where_no_lock_can_be_had_is_named(photos: Path, tmp_path: Path) -> None:
    label(photos, tmp_path / "out")
    (tmp_path / "out" / ".lock").unlink()
    (tmp_path / "out" / ".lock").mkdir()
    with pytest.raises(DataError, match=r"out/\.lock: cannot be written"):
        label(photos, tmp_path / "out")


def test_models_are_given_back_when_a_run_is_over(photos: Path, tmp_path: Path) -> None:
    label(photos, tmp_path / "out")
    assert engine._IDLE == []


def test_wrong_use_says_what_to_do(photos: Path, tmp_path: Path, capsys: Captured) -> None:
    def complaint(arguments: list[str], code: int) -> str:
        assert main(arguments) == code
        return capsys.readouterr().err

    out = tmp_path / "out"
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "text.jpg").write_text("Dear diary")
    (tmp_path / "file").touch()
    assert "not a labels folder" in complaint(command(photos, photos), 2)
    assert "is a file; name a new folder" in complaint(command(photos, tmp_path / "file"), 2)
    assert "no photos found" in complaint(command(empty, out), 1)
    assert "none of 1 photos" in complaint(command(tmp_path / "text.jpg", out), 1)
    assert "'--workers': 0 is not in" in complaint(command(photos, out, "--workers=0"), 2)
    assert "'--shard-size': -1 is not" in complaint(command(photos, out, "--shard-size=-1"), 2)
    for option, value in (("workers", 0), ("shard_size", -1), ("photo_seconds", 0)):
        with pytest.raises(OptionError, match=f"{option.replace('_', ' ')} is {value}"):
            label(photos, out, **{option: value})
    assert "known enhancers" in complaint(command(photos, out, "--enhancer=magic"), 2)
    assert "--shards" in complaint(command(photos, out, "--shards=3"), 2)


def test_options_for_beam_come_after_two_dashes(
    photos: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "out"
    assert main(command(photos, out, "--", "--runner=FnApiRunner")) == 0
    assert main(command(photos, out, "--direct_num_workers=2")) == 2
    assert main(command(photos, out, "--", "--runer=FnApiRunner")) == 2
    assert "Beam has no option --runer" in capsys.readouterr().err
    assert main(command(photos, out, "--runner=magic")) == 2
    assert "runner 'magic' cannot be used" in capsys.readouterr().err
    assert main(command(photos, out, "--dask-address=tcp://localhost:1")) == 2
    assert "--runner dask" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--runer=FnApiRunner", "runner", "-x", "--direct_num_workers=x"])
def test_misspelt_options_for_beam_are_errors(flag: str) -> None:
    with pytest.raises(OptionError, match=flag.partition("=")[0]):
        engine.beam_options([flag])


def test_reading_labels_refuses_what_it_cannot_vouch_for(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a labels folder"):
        read_labels(photos)
    out = tmp_path / "out"
    label(photos, out, shard_size=8)
    (file,) = (out / "labels").iterdir()
    rows = pq.read_table(file).to_pylist()
    label_files.write_labels(out, "newer", [row | {"scorer_version": "2"} for row in rows[:3]])
    with pytest.raises(OptionError, match=r"brightness 1, .*brightness 2, "):
        read_labels(out)
    assert len(read_labels(out, mixed=True)) == 11
    assert len(read_labels(out, scorer="brightness 2")) == 3
    assert len(read_labels(out, recipe=RECIPE)) == 8
    with pytest.raises(DataError, match="no labels with brighten 9"):
        read_labels(out, enhancer="brighten 9")
    label_files.write_labels(out, "twice", rows[:2])
    assert len(read_labels(out, recipe=RECIPE)) == 8
    content = bytearray(file.read_bytes())
    content[content.index(b"PAR1") + 200] ^= 1
    file.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read_labels(out)
    file.write_bytes(content[:-9])
    with pytest.raises(DataError, match="damaged"):
        read_labels(out)
    file.unlink()
    assert label(photos, out).counts.labelled == 6
