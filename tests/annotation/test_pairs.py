"""Choosing pairs: near the threshold, diverse, reproducible, with checks of raters mixed in."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from annotation_folders import make_labels
from PIL import Image

from annotation.manifest import RATINGS_FILE, read_manifest
from annotation.pictures import degrade_strongly, most_changed, render
from annotation.selection import choose, quotas, strata_of
from annotation.store import Event, Store
from pipelines.data import labels as label_table
from pipelines.data.label_files import write_labels
from pipelines.ratings.table import read_rows
from trigger.cli.app import main
from trigger.errors import DataError
from trigger.photo import read_photo

Photographs = Mapping[str, npt.NDArray[np.uint8]]


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory, photographs: Photographs) -> Path:
    return make_labels(tmp_path_factory.mktemp("pairs"), photographs, 40)


def test_most_pairs_are_near_the_threshold_but_all_deltas_are_there() -> None:
    deltas = np.random.default_rng(0).uniform(-1, 2, 5000)
    strata = strata_of(deltas, 0.4)
    assert (strata >= 0).tolist() == (deltas >= 0.4).tolist()
    quota = quotas(strata, 500)
    assert sum(quota.values()) == 500
    assert quota.keys() == set(strata.tolist())
    near, far = quota[0] + quota[-1], quota[min(quota)] + quota[max(quota)]
    assert near > 2.5 * far > 0
    assert list(quota)[:4] == [-1, 0, -2, 1]  # these choose first
    assert strata_of(np.append(deltas, 1000), 0.4).max() <= strata.max() + 1


def test_what_a_stratum_lacks_the_others_give() -> None:
    strata = np.repeat([-2, -1, 0, 1], [300, 2, 3, 300])
    quota = quotas(strata, 101)
    assert sum(quota.values()) == 101
    assert (quota[-1], quota[0]) == (2, 3)
    assert abs(quota[-2] - quota[1]) <= 1
    assert quotas(strata, 10_000) == dict(Counter(strata.tolist()))


def test_chosen_photos_show_different_things() -> None:
    rng = np.random.default_rng(0)
    motifs = rng.normal(size=(10, 8)) * 10
    features = np.repeat(motifs, 20, axis=0) + rng.normal(size=(200, 8)) * 0.1
    chosen = choose(np.zeros(200, np.int64), features, [str(i) for i in range(200)], {0: 10})
    assert {row // 20 for row in chosen} == set(range(10))
    # Versions of one photo may look different, and are still the same thing.
    scenes = [str(row % 4) for row in range(200)]
    chosen = choose(np.zeros(200, np.int64), features, scenes, {0: 4})
    assert {row % 4 for row in chosen} == {0, 1, 2, 3}


def test_pairs_come_with_sentinels_repeats_and_hashes(labels: Path, tmp_path: Path) -> None:
    command = [
        "pairs",
        "make",
        str(labels),
        "-n",
        "30",
        "--sentinels",
        "0.1",
        "--repeats",
        "0.1",
        "--out",
    ]
    assert main([*command, str(tmp_path / "a")]) == 0
    assert main([*command, str(tmp_path / "b"), "--workers", "1"]) == 0
    assert main([*command, str(tmp_path / "c"), "--seed", "1"]) == 0
    manifest, again, other = (read_manifest(tmp_path / name) for name in "abc")
    assert manifest.pairs == again.pairs
    ours, theirs = ({pair.pair for pair in m.pairs if pair.repeat} for m in (manifest, other))
    assert ours != theirs
    assert Counter(pair.sentinel for pair in manifest.pairs) == Counter(
        {"": 30, "bad": 1, "good": 1, "identical": 1}
    )
    assert sum(pair.repeat for pair in manifest.pairs) == 3
    assert not any(pair.repeat and pair.sentinel for pair in manifest.pairs)
    for picture in manifest.pictures.values():
        data = (tmp_path / "a" / picture.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == picture.name.partition(".")[0]
        photo = read_photo(data)
        assert (photo.width, photo.height) == (picture.width, picture.height)
    known = {pair.sentinel: pair for pair in manifest.pairs}
    assert known["identical"].before == known["identical"].after
    names = [pair.pair for pair in manifest.pairs]
    assert all("sentinel" not in name for name in names)


def test_the_photo_is_before_and_what_was_made_of_it_after(labels: Path, tmp_path: Path) -> None:
    command = [
        "pairs",
        "make",
        str(labels),
        "-n",
        "30",
        "--sentinels",
        "0.1",
        "--out",
        str(tmp_path),
    ]
    assert main(command) == 0
    pairs = read_manifest(tmp_path).pairs
    for pair in pairs:
        (left, top), size = pair.crop, pair.before.crop
        photo = read_photo(pair.path).image
        crop = photo.crop((left, top, left + size.width, top + size.height)).tobytes()
        sides = (pair.before, pair.after)
        shown = [read_photo(tmp_path / side.crop.file).image.tobytes() for side in sides]
        expected = {"good": [False, True], "identical": [True, True]}
        unchanged = [pixels == crop for pixels in shown]  # crops are lossless
        assert unchanged == expected.get(pair.sentinel, [True, False])
    chosen, known = (
        {int(Path(pair.path).stem) for pair in pairs if bool(pair.sentinel) == sentinel}
        for sentinel in (False, True)
    )
    assert known == set(sorted(set(range(40)) - chosen)[-3:])  # the best that were left


def test_pairs_are_chosen_about_the_threshold_that_is_given(labels: Path, tmp_path: Path) -> None:
    means = []
    for threshold in ("-0.6", "1.1"):
        command = ["pairs", "make", str(labels), "-n", "10", f"--threshold={threshold}"]
        assert main([*command, "--out", str(tmp_path / threshold)]) == 0
        pairs = read_manifest(tmp_path / threshold).pairs
        means.append(np.mean([pair.delta for pair in pairs if pair.delta is not None]))
    assert means[0] < means[1] - 0.2


def test_photos_that_have_gone_or_changed_are_named_and_left_out(
    tmp_path: Path, photographs: Photographs, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = make_labels(tmp_path, photographs, 12)
    (tmp_path / "photos" / "3.png").unlink()
    (tmp_path / "photos" / "4.png").write_bytes((tmp_path / "photos" / "5.png").read_bytes())
    assert main(["pairs", "make", str(labels), "--out", str(tmp_path / "pairs"), "-n", "12"]) == 1
    said = capsys.readouterr().err
    assert "3.png: no such file" in said
    assert "4.png: the file has changed" in said
    paths = {Path(pair.path).name for pair in read_manifest(tmp_path / "pairs").pairs}
    assert paths == {f"{i}.png" for i in range(12)} - {"3.png", "4.png"}


def test_wrong_folders_are_refused(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pairs", "make", str(tmp_path), "--out", str(tmp_path / "pairs")]) == 1
    assert "trigger label PHOTOS" in capsys.readouterr().err
    assert main(["pairs", "make", str(labels), "--out", str(tmp_path), "--enhancer", "none"]) == 1
    assert "holds no labels with none" in capsys.readouterr().err
    for file in (tmp_path / "none" / "labels", tmp_path / "none" / "run.json"):
        file.parent.mkdir(exist_ok=True, parents=True)
    (tmp_path / "none" / "run.json").write_bytes((labels / "run.json").read_bytes())
    assert main(["pairs", "make", str(tmp_path / "none"), "--out", str(tmp_path / "pairs")]) == 1
    assert "none holds no labels; see" in capsys.readouterr().err
    versioned = ["--enhancer", "test 1", "-n", "2"]
    assert main(["pairs", "make", str(labels), "--out", str(tmp_path / "one"), *versioned]) == 0
    (tmp_path / "mine.jpg").touch()
    assert main(["pairs", "make", str(labels), "--out", str(tmp_path), "-n", "2"]) == 2
    assert "is not empty (it holds" in capsys.readouterr().err
    (tmp_path / "manifest.json").write_text("{}")
    assert main(["pairs", "make", str(labels), "--out", str(tmp_path)]) == 2
    assert "holds pairs already" in capsys.readouterr().err
    assert main(["annotate", str(tmp_path)]) == 1
    assert "not written by trigger pairs" in capsys.readouterr().err


def test_ratings_outlive_the_pictures(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs, out = tmp_path / "pairs", tmp_path / "out.csv"
    assert main(["pairs", "make", str(labels), "--out", str(pairs), "-n", "2"]) == 0
    name = read_manifest(pairs).pairs[0].pair
    theirs = tmp_path / "theirs.csv"
    rows = [f"{name},ann,1,2025-05-01T12:30:00Z,5", f"{name},ben,1,2025-05-01T12:30:00Z,1e9"]
    theirs.write_text("\n".join(["pair,rater,rating,time,seconds", *rows]))
    shutil.rmtree(pairs / "images")
    assert main(["ratings", "import", str(theirs), "--into", str(pairs)]) == 1  # all or nothing
    theirs.write_text("\n".join(["pair,rater,rating,time,seconds", rows[0]]))
    assert main(["ratings", "import", str(theirs), "--into", str(pairs)]) == 0
    assert "1 answers added" in capsys.readouterr().out
    assert main(["ratings", "export", str(pairs), "--out", str(out)]) == 0
    assert [row.rater for row in read_rows(out)] == ["ann"]
    assert (pairs / "ratings.sqlite").stat().st_mode & 0o777 == 0o600
    assert main(["annotate", str(pairs)]) == 1
    assert "pictures are missing" in capsys.readouterr().err


def test_answers_of_elsewhere_are_checked_as_those_of_the_page_are(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs, theirs, out = tmp_path / "pairs", tmp_path / "theirs.csv", tmp_path / "out.csv"
    assert (
        main(["pairs", "make", str(labels), "--out", str(pairs), "-n", "2", "--repeats", "0"]) == 0
    )
    name, other = (pair.pair for pair in read_manifest(pairs).pairs[:2])

    def bring(*rows: str) -> str:
        header = "id,pair,rater,rating,repeat,time"
        theirs.write_text("\n".join([header, *(f"{row},2025-05-01T12:30:00Z" for row in rows)]))
        code = main(["ratings", "import", str(theirs), "--into", str(pairs)])
        said = "".join(capsys.readouterr())
        assert code == (" 0 refused" not in said)
        return said

    assert "repeat is 7, but it is shown 1 times" in bring(f",{name},Zoe,1,7")
    assert "a name begins with" in bring(f",{name},=Zoe,1,0")
    taken = "0123456789abcdef"
    assert "1 answers added" in bring(f"{taken},{name},Zoe,1,0")
    said = bring(f"{taken},{name},Bob,2,0", f",{name},zoe,2,0", f",{other},zoe,2,0")
    assert "1 answers added, 0 were there already" in said
    assert f"Bob, pair {name}: another answer has this id" in said
    assert f"zoe, pair {name}: this pair has an answer already" in said
    assert main(["ratings", "export", str(pairs), "--out", str(out)]) == 0
    assert [row.rater for row in read_rows(out)] == ["Zoe", "Zoe"]
    assert "0 answers added, 1 were there already, 0 skipped" in bring(f"{taken},{name},Zoe,1,0")
    store = Store(pairs / RATINGS_FILE)
    undo = Event("f" * 16, "undo", name, 0, "2025-05-01T12:31:00Z", undoes=taken)
    assert store.record("Zoe", [undo])[0].status == "saved"
    store.close()
    assert "0 answers added, 0 were there already, 1 skipped" in bring(f"{taken},{name},Zoe,1,0")


@pytest.mark.parametrize("name", ["../../etc/passwd", "x.jpg", f"{'a' * 64}.svg"])
def test_a_manifest_cannot_name_other_files(labels: Path, tmp_path: Path, name: str) -> None:
    assert main(["pairs", "make", str(labels), "--out", str(tmp_path), "-n", "2"]) == 0
    path = tmp_path / "manifest.json"
    content = json.loads(path.read_text())
    content["pairs"][0]["before"]["display"]["name"] = name
    path.write_text(json.dumps(content))
    assert main(["annotate", str(tmp_path)]) == 1


def test_manifests_of_another_version_or_with_a_pair_twice_are_refused(
    labels: Path, tmp_path: Path
) -> None:
    assert main(["pairs", "make", str(labels), "--out", str(tmp_path), "-n", "2"]) == 0
    path = tmp_path / "manifest.json"
    content = json.loads(path.read_text())
    for change, words in (
        ({"format": 2}, "has format 2, this version reads 1"),
        ({"pairs": content["pairs"] * 2}, "a pair twice"),
        ({"pairs": []}, "holds no pairs"),
    ):
        path.write_text(json.dumps(content | change))
        with pytest.raises(DataError, match=words):
            read_manifest(tmp_path)


def test_what_raters_see_differs_by_the_enhancement_alone(photographs: Photographs) -> None:
    photo = Image.fromarray(photographs["coffee"])
    rendered = render(photo, photo)
    shown = read_photo(rendered.files[rendered.before.display]).pixels.astype(int)
    assert np.abs(shown - photographs["coffee"]).mean() < 2
    stripes = np.zeros((320, 3200, 3), np.uint8)
    stripes[:, 1::2] = 255  # too fine for the small copy
    rendered = render(Image.fromarray(stripes), Image.fromarray(stripes))
    small = read_photo(rendered.files[rendered.after.display]).pixels
    assert small.shape == (160, 1600, 3)
    assert np.abs(small.astype(int) - 127).max() < 30


@pytest.mark.parametrize("size", [(600, 400), (1800, 1200)])
def test_what_nobody_should_prefer_is_visibly_worse(
    size: tuple[int, int], photographs: Photographs
) -> None:
    photo = Image.fromarray(photographs["coffee"]).resize(size)
    sharpness = [
        np.abs(np.diff(np.asarray(version.convert("L"), float), axis=1)).mean()
        for version in (photo, degrade_strongly(photo))
    ]
    assert sharpness[1] < 0.4 * sharpness[0]


def test_large_photos_get_full_copies_and_a_crop_where_most_has_changed() -> None:
    before = Image.new("RGB", (3000, 2000), "grey")
    after = before.copy()
    after.paste("white", (2300, 1500, 2400, 1600))
    left, top, right, bottom = most_changed(before, after)
    assert (right - left, bottom - top) == (640, 640)
    assert left <= 2300 < 2400 <= right
    assert top <= 1500 < 1600 <= bottom
    rendered = render(before, after)
    assert rendered.before.full is not None
    assert (rendered.before.full.width, rendered.before.display.width) == (3000, 1600)
    assert np.allclose(most_changed(before, before), (1180, 680, 1820, 1320), atol=10)
    assert most_changed(before.resize((30, 20)), after.resize((30, 20))) == (0, 0, 30, 20)


@pytest.mark.parametrize("command", [["pairs", "make"], ["train"]])
def test_labels_on_other_machines_are_refused_as_such(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "gs://bucket/labels", "--out", "new"]) == 2
    assert "'gs://bucket/labels' is a URL" in capsys.readouterr().err


def test_labels_of_two_scorers_are_told_apart(
    photographs: Photographs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = make_labels(tmp_path / "made", photographs, 12)
    rows = pq.read_table(labels / "labels" / "0.parquet").to_pylist()
    other = [row | {"scorer_version": "2", "delta": -row["delta"]} for row in rows]
    write_labels(labels, "1", other)
    # As an interrupted compaction leaves them.
    shutil.copy(labels / "labels" / "0.parquet", labels / "labels" / "2.parquet")
    assert main(["pairs", "make", str(labels), "--out", str(tmp_path / "pairs")]) == 2
    assert "--scorer 'NAME VERSION'" in capsys.readouterr().err
    for version, sign in (("1", 1), ("2", -1)):
        table = label_table.read_labels(labels, scorer=f"test {version}")
        assert len(table) == len(rows)
        found = table.set_index("photo")["delta"].to_dict()
        assert found == {row["photo"]: sign * row["delta"] for row in rows}
