"""``trigger degrade``: every photo it made is on record, whatever happened before or meanwhile."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage.data import astronaut, chelsea

from pipelines.data.lock import exclusive
from pipelines.data.provenance import RECORD, read_record, record_rows
from pipelines.data.storage import Folder
from pipelines.degradation import folder as degrade
from pipelines.degradation.camera import CameraFactors
from pipelines.degradation.hard_negatives import HARD_NEGATIVES
from trigger.cli.app import main
from trigger.errors import DataError
from trigger.photo import find_photos, photo_hash, read_photo


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(degrade, "worker_processes", lambda: ThreadPoolExecutor(1))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clean")
    for name, photo in (("astronaut", astronaut()), ("chelsea", chelsea())):
        Image.fromarray(photo[::8, ::8]).save(folder / f"{name}.png")
    return folder


def run(clean: Path, out: Path, *options: str) -> None:
    assert main(["degrade", str(clean), "--out", str(out), *options]) == 0


def scenes_of_photos(folder: Path) -> list[str]:
    """The recorded scene of each photo there is; fails where one has none."""
    hashes = [photo_hash(path.read_bytes()) for path in find_photos([folder])]
    return list(read_record(folder)["scene"].loc[hashes])


def test_a_second_run_adds_to_the_record_of_the_first(clean: Path, tmp_path: Path) -> None:
    run(clean, tmp_path, "--kinds", "noise")
    run(clean, tmp_path, "--kinds", "jpeg,none")
    record = (tmp_path / RECORD).read_bytes()
    assert pd.read_csv(tmp_path / RECORD)["kind"].value_counts().to_dict() == {
        "noise": 2,
        "jpeg": 2,
        "none": 2,
    }
    assert len(set(scenes_of_photos(tmp_path))) == 2
    run(clean, tmp_path, "--kinds", "noise")
    assert (tmp_path / RECORD).read_bytes() == record


def test_photos_degraded_again_stay_with_their_scene(clean: Path, tmp_path: Path) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    run(clean, once, "--kinds", "blur")
    run(once, twice, "--kinds", "jpeg")
    run(twice, once, "--kinds", "noise")
    originals = {photo_hash(path.read_bytes()) for path in clean.iterdir()}
    assert set(scenes_of_photos(twice)) == set(scenes_of_photos(once)) == originals


def test_whenever_it_is_stopped_all_photos_are_on_record(
    clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm, before = tmp_path / "calm", tmp_path / "before"
    run(clean, before, "--kinds", "noise,jpeg", "--seed", "1")
    for path in before.glob("[!.]*.*g"):  # as if an earlier version had made others
        path.rename(path.with_name(path.name.replace("-seed1", "")))
    (before / RECORD).write_text((before / RECORD).read_text().replace("-seed1", ""))
    shutil.copytree(before, calm)
    changed = ("--kinds", "noise,blur")  # replaces noise, adds blur
    run(clean, calm, *changed)
    expected = {path.name: path.read_bytes() for path in calm.glob("[!.]*")}
    rename, renamed = Path.replace, 0

    def replace(path: Path, target: Path) -> Path:
        nonlocal renamed
        renamed += 1
        if renamed > allowed:
            raise KeyboardInterrupt
        return rename(path, target)

    for allowed in range(11):  # renames: of four photos when made, then two records, four photos
        out, renamed = tmp_path / f"out-{allowed}", 0
        shutil.copytree(before, out)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", replace)
            status = main(["degrade", str(clean), "--out", str(out), *changed])
        assert status == (130 if allowed < 10 else 0)
        assert len(set(scenes_of_photos(out))) == 2
        run(clean, out, *changed)
        assert {path.name: path.read_bytes() for path in out.glob("[!.]*")} == expected


def test_another_seed_adds(clean: Path, tmp_path: Path) -> None:
    run(clean, tmp_path, "--kinds", "mixed,none")
    before = {path.name: path.read_bytes() for path in tmp_path.glob("[!.]*.*g")}
    run(clean, tmp_path, "--kinds", "mixed,none", "--seed", "1")
    after = {path.name: path.read_bytes() for path in tmp_path.glob("[!.]*.*g")}
    assert before.items() < after.items()
    assert len(after) == len(scenes_of_photos(tmp_path)) == 6


def test_what_was_made_is_not_degraded_again(clean: Path, tmp_path: Path) -> None:
    photos = shutil.copytree(clean, tmp_path / "photos")
    longest = photos / f"{'長' * 80}.png"
    Image.fromarray(astronaut()[::9, ::9]).save(longest)
    out = photos / "degraded"
    run(photos, out, "--kinds", "none,jpeg")
    record = (out / RECORD).read_bytes()
    run(photos, out, "--kinds", "none,jpeg")
    assert (out / RECORD).read_bytes() == record
    assert len(scenes_of_photos(out)) == 6


def test_hard_negatives_are_made_on_request(clean: Path, tmp_path: Path) -> None:
    run(clean, tmp_path / "faults")
    assert not set(HARD_NEGATIVES) & set(pd.read_csv(tmp_path / "faults" / RECORD)["kind"])
    for out in ("a", "b"):
        run(clean, tmp_path / out, "--kinds", ",".join(HARD_NEGATIVES), "--versions", "3")
    record = (tmp_path / "a" / RECORD).read_bytes()
    assert record == (tmp_path / "b" / RECORD).read_bytes()
    made = pd.read_csv(tmp_path / "a" / RECORD)
    assert made["photo"].is_unique  # no two versions are alike
    kinds = made.set_index("path")["kind"]
    assert kinds.value_counts().to_dict() == dict.fromkeys(HARD_NEGATIVES, 6)
    for path, kind in kinds.items():
        pixels = read_photo(tmp_path / "a" / str(path)).pixels.astype(float)
        steps = np.abs(np.diff(pixels, axis=0)).mean()
        looks_right = {
            "text": steps > 1,
            "plain": steps < 6,
            "thumbnail": max(pixels.shape) <= 64,  # small photos are not enlarged
        }
        assert looks_right[str(kind)]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--out", "{file}"], "name a new folder"),
        (["--out", "{file}/sub"], "name a new folder"),
        (["--out", "{folder}", "--seed", "-1"], "is not in the range 0<=x<=4294967295"),
        (["--out", "{folder}", "--kinds", "noise,fog"], "'fog' is unknown"),
        (["--out", "{folder}", "--kinds", "noise", "blur"], "separate kinds by commas"),
        (["--out", "{folder}", "--seed", "4294967296"], "is not in the range 0<=x<=4294967295"),
    ],
)
def test_wrong_options_are_explained(
    clean: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    complaint: str,
) -> None:
    (tmp_path / "file").touch()
    places = {"file": tmp_path / "file", "folder": tmp_path / "folder"}
    assert main(["degrade", str(clean), *(option.format(**places) for option in options)]) == 2
    assert complaint in capsys.readouterr().err


def test_names_of_any_kind_are_on_record(
    clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for name in ("two\rlines.png", os.fsdecode(b"caf\xe9.png"), 'a "b", c.png'):
        shutil.copy(clean / "chelsea.png", photos / name)
        scene = photo_hash((photos / name).read_bytes())
    (photos / "\x1b[31mcircle.png").symlink_to("\x1b[31mcircle.png")
    for _ in range(2):
        run(photos, out, "--kinds", "noise")
        assert scenes_of_photos(out) == [scene] * 3
        assert f"skipped {photos}/\\x1b[31mcircle.png: " in capsys.readouterr().err


def test_one_run_at_a_time_writes_to_a_folder(clean: Path, tmp_path: Path) -> None:
    with exclusive(Folder(tmp_path)):
        assert main(["degrade", str(clean), "--out", str(tmp_path)]) == 1
    assert not (tmp_path / RECORD).exists()


def test_nothing_is_added_to_a_damaged_record(clean: Path, tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text("photo,path\n")
    with pytest.raises(DataError, match="another folder"):
        record_rows(tmp_path)


def test_faults_of_cameras_are_made_on_request_with_factors_on_record(
    clean: Path, tmp_path: Path
) -> None:
    photos = shutil.copytree(clean, tmp_path / "photos")
    Image.new("RGB", (1, 1)).save(photos / "pixel.png")
    for out in ("a", "b"):
        run(photos, tmp_path / out, "--kinds", "none,camera", "--versions", "6")
    record = (tmp_path / "a" / RECORD).read_bytes()
    assert record == (tmp_path / "b" / RECORD).read_bytes()
    made = pd.read_csv(tmp_path / "a" / RECORD).query("kind == 'camera' and source != 'pixel.png'")
    assert len(made) == 12
    assert made["photo"].is_unique
    for path, source, factors in made[["path", "source", "factors"]].to_numpy():
        assert CameraFactors(**json.loads(factors)).qualities
        files = clean / source, tmp_path / "a" / path
        before, after = (read_photo(file).pixels.astype(float) for file in files)
        assert np.abs(before - after).mean() > 0.3
        assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.6
