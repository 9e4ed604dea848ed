"""What counts as input, here and on other file systems."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pandas as pd
import pytest
from apache_beam.io.filesystem import FileMetadata, FileSystem
from hypothesis import given
from hypothesis import strategies as st
from label_helpers import RECIPE, Pixels, label, write_photos

from pipelines.data import label_files
from pipelines.data.rejects import Reject, read_rejects, storable, write_rejects
from pipelines.data.storage import Folder
from pipelines.labelling.compact import compact_labels
from pipelines.labelling.inputs import PhotoInputs
from pipelines.labelling.plan import make_plan, make_shard, read_plan
from pipelines.labelling.status import label_status
from trigger.errors import DataError, OptionError

pytestmark = pytest.mark.usefixtures("models")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with nested photos, and with what is none."""
    top = tmp_path / "tree"
    for name in ("b.jpg", "a.PNG", "deep/er/c.webp", "notes.md", ".hidden.jpg", ".cache/d.jpg"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).touch()
    (top / "deep" / "loop").symlink_to(top)
    (top / "circle.jpg").symlink_to(top / "circle.jpg")
    return top


def names(listing: PhotoInputs, top: Path) -> list[str]:
    return [os.path.relpath(path, top) for path in listing]


def test_folders_are_searched_and_what_is_left_out_is_counted(tree: Path) -> None:
    listing = PhotoInputs([tree], leave_out="/nowhere")
    assert names(listing, tree) == ["a.PNG", "b.jpg", "circle.jpg", "deep/er/c.webp"]
    assert listing.skipped == {
        "hidden": 2,
        "not a photo by its extension": 1,
        "link to a folder": 1,
    }
    assert list(listing) == list(listing)
    assert listing.skipped["hidden"] == 2  # of this time alone
    assert names(PhotoInputs([tree], leave_out=str(tree / "deep")), tree)[-1] == "circle.jpg"
    assert names(PhotoInputs([tree], leave_out=str(tree / "dee")), tree)[-1] == "deep/er/c.webp"


def test_subfolders_come_in_order_and_closed_ones_are_named(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scan(folder: str) -> object:
        if folder.endswith("/closed"):
            raise PermissionError(folder)
        return scandir(folder)

    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", scan)
    for name in ("closed", "album"):
        (tree / name).mkdir()
        (tree / name / "x.jpg").touch()
    found = names(PhotoInputs([tree], leave_out="/nowhere"), tree)
    assert found[3:] == ["album/x.jpg", "closed", "deep/er/c.webp"]


def test_one_input_may_hold_nothing_but_not_all(tree: Path) -> None:
    (tree / "empty").mkdir()
    found = names(PhotoInputs([tree / "empty", tree / "b.jpg"], leave_out="/nowhere"), tree)
    assert found == ["b.jpg"]
    with pytest.raises(DataError, match="no photos found"):
        list(PhotoInputs([tree / "empty"], leave_out="/nowhere"))


def test_patterns(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = PhotoInputs([f"{tree}/**/*.*"], leave_out="/nowhere")
    assert {"b.jpg", "deep/er/c.webp"} <= set(names(listing, tree))
    assert not any("loop" in name for name in names(listing, tree))
    assert listing.skipped["not a photo by its extension"] == 1
    assert "deep/er/c.webp" not in names(PhotoInputs([f"{tree}/**/*.*"], str(tree / "deep")), tree)
    with pytest.raises(DataError, match=r"as in photos/\*\*/\*.jpg"):
        list(PhotoInputs([f"{tree}/**.jpg"], leave_out="/nowhere"))
    brackets = tree / "holiday [1]"
    brackets.mkdir()
    (brackets / "a.jpg").touch()
    monkeypatch.chdir(brackets)
    assert names(PhotoInputs(["*.jpg"], leave_out="/nowhere"), brackets) == ["a.jpg"]
    (tree / "[1].jpg").touch()
    assert names(PhotoInputs([tree / "[1].jpg"], leave_out="/nowhere"), tree) == ["[1].jpg"]


def test_patterns_leave_out_what_folders_leave_out(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "deep" / "old").mkdir()
    (tree / "deep" / "old" / "run.json").write_text('{"kind": "trigger labels"}')
    (tree / "deep" / "old" / "deltas.png").touch()
    searched, found = (
        PhotoInputs([source], leave_out="/nowhere") for source in (tree, f"{tree}/**/*")
    )
    assert sorted(searched) == sorted(found)
    assert (searched.skipped["hidden"], searched.skipped["labels folder"]) == (2, 1)
    assert (found.skipped["hidden"], found.skipped["labels folder"]) == (2, 1)
    monkeypatch.chdir(tree / ".cache")
    for source in (f"{tree}/.cache/*", "../.cache/*.jpg", "*.jpg"):  # but not what was asked for
        assert names(PhotoInputs([source], "/nowhere"), tree) == [".cache/d.jpg"]


def as_text(paths: list[str], file: Path) -> None:
    file.write_text("\ufeff" + "\r\n".join(paths) + "\n\n", encoding="utf-8")


def as_csv(paths: list[str], file: Path) -> None:
    pd.DataFrame({"id": range(len(paths)), "path": paths}).to_csv(file, index=False)


def as_parquet(paths: list[str], file: Path) -> None:
    pd.DataFrame({"path": paths}).to_parquet(file)


@pytest.mark.parametrize(
    ("name", "write"), [("m.txt", as_text), ("m.csv", as_csv), ("m.parquet", as_parquet)]
)
def test_manifests(tree: Path, name: str, write: Callable[[list[str], Path], None]) -> None:
    paths = [f"{tree}/b.jpg", "deep/er/c.webp", "gs://bucket/x.jpg", "käse, gone.jpg"]
    write(paths, tree / name)
    assert list(PhotoInputs([tree / name], leave_out="/nowhere")) == [
        f"{tree}/b.jpg",
        f"{tree}/deep/er/c.webp",
        "gs://bucket/x.jpg",
        f"{tree}/käse, gone.jpg",
    ]


def test_manifests_may_have_gaps_and_names_that_are_no_text(tree: Path) -> None:
    pd.DataFrame({"path": ["b.jpg", None, ""]}).to_parquet(tree / "m.parquet")
    (tree / "m.csv").write_text("id,path\n1,b.jpg\n2,\n3\n")
    (tree / "m.txt").write_bytes(b"b.jpg\n\ncaf\xe9.jpg\n")
    for name in ("m.parquet", "m.csv"):
        assert names(PhotoInputs([tree / name], leave_out="/nowhere"), tree) == ["b.jpg"]
    found = names(PhotoInputs([tree / "m.txt"], leave_out="/nowhere"), tree)
    assert [os.fsencode(name) for name in found] == [b"b.jpg", b"caf\xe9.jpg"]


def test_manifests_may_come_from_spreadsheets(tree: Path) -> None:
    text = "id;path\r\n1;b.jpg\r\n;\r\n"
    (tree / "m.csv").write_text(text, encoding="utf-16", newline="")
    (tree / "n.csv").write_text("sep=;\n" + text, encoding="utf-8-sig", newline="")
    (tree / "m.txt").write_text("b.jpg\r\n\r\n", encoding="utf-16", newline="")
    for name in ("m.csv", "n.csv", "m.txt"):
        assert names(PhotoInputs([tree / name], leave_out="/nowhere"), tree) == ["b.jpg"]


def test_bad_manifests_say_what_is_wrong(tmp_path: Path) -> None:
    def complaint(name: str, content: bytes | None) -> str:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError) as error:
            list(PhotoInputs([tmp_path / name], leave_out="/nowhere"))
        return str(error.value)

    assert "needs the column 'path'; it has file, id" in complaint("m.csv", b"file,id\n")
    assert "it is empty" in complaint("empty.csv", b"")
    assert "cannot be read" in complaint("m.parquet", b"PAR1 no")
    assert "cannot be read" in complaint("gone.txt", None)
    assert "unexpected end of data" in complaint("quote.csv", b'path\n"a.jpg\nb.jpg\n')
    pd.DataFrame({"path": [1, 2]}).to_parquet(tmp_path / "numbers.parquet")
    assert "it must be text" in complaint("numbers.parquet", None)


class MemoryFiles(FileSystem):
    """The smallest file system Beam accepts, with URLs mem://..."""

    files: dict[str, bytes] = {}  # noqa: RUF012, shared by all instances on purpose

    @classmethod
    def scheme(cls) -> str:
        return "mem"

    def join(self, basepath: str, *paths: str) -> str:
        return "/".join([basepath, *paths])

    def split(self, path: str) -> tuple[str, str]:
        head, _, tail = path.rpartition("/")
        return head, tail

    def mkdirs(self, path: str) -> None: ...

    def has_dirs(self) -> bool:
        return False

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        for path, data in list(self.files.items()):
            if path.startswith(dir_or_prefix):
                yield FileMetadata(path, len(data))

    def create(self, path: str, *_: object, **__: object) -> io.BytesIO:
        files = self.files

        class Upload(io.BytesIO):
            def close(self) -> None:
                files[path] = self.getvalue()
                super().close()

        return Upload()

    def open(self, path: str, *_: object, **__: object) -> io.BytesIO:
        if path not in self.files:
            raise LookupError(path)  # a kind of their own, as cloud libraries have
        return io.BytesIO(self.files[path])

    def copy(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        raise NotImplementedError

    def rename(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        raise NotImplementedError

    def exists(self, path: str) -> bool:
        return path in self.files

    def size(self, path: str) -> int:
        return len(self.files[path])

    def last_updated(self, path: str) -> float:
        return 0.0

    def checksum(self, path: str) -> str:
        return ""

    def metadata(self, path: str) -> FileMetadata:
        return FileMetadata(path, self.size(path))

    def delete(self, paths: list[str]) -> None:
        for path in paths:
            del self.files[path]


def test_photos_and_labels_may_lie_on_any_file_system_beam_knows(
    photographs: Mapping[str, Pixels], tmp_path: Path
) -> None:
    photos = write_photos(tmp_path / "photos", photographs)
    MemoryFiles.files.clear()
    for path in photos.rglob("*.png"):
        MemoryFiles.files[f"mem://bucket/photos/{path.relative_to(photos)}"] = path.read_bytes()
    MemoryFiles.files["mem://bucket/photos/text.jpg"] = b"Dear diary"
    MemoryFiles.files["mem://bucket/photos/notes.md"] = b"# Notes"
    out = "mem://bucket/photos/labels"
    run = label("mem://bucket/photos", out, shard_size=3)
    assert (run.counts.labelled, run.rejects) == (8, {"not-a-photo": 1})
    assert run.skipped == {"not a photo by its extension": 1}
    label(photos, tmp_path / "local")
    columns = ["photo", "input_score", "enhanced_score", "delta"]
    there = label_files.read_table(Folder(out)).select(columns)
    assert there.equals(label_files.read_table(Folder(tmp_path / "local")).select(columns))
    enhanced = [name for name in MemoryFiles.files if "/labels/enhanced/" in name]
    assert len(enhanced) == 8
    assert compact_labels(out).files_after == 1
    assert label_status(out).state == "finished"
    assert label("mem://bucket/photos", out).counts.already == 8
    for name in ("2024.05/a.jpg", "2024.05/.b/c.jpg"):
        MemoryFiles.files[f"mem://bucket/{name}"] = b""
    assert list(PhotoInputs(["mem://bucket/2024.05"], out)) == ["mem://bucket/2024.05/a.jpg"]
    elsewhere = PhotoInputs(["mem://bucket"], leave_out="mem://bucket/other")
    assert not any("/labels/" in location for location in elsewhere)
    assert elsewhere.skipped["labels folder"] == 1
    pattern = PhotoInputs(["mem://bucket/**.png"], leave_out="mem://bucket/other")
    assert len(list(pattern)) == 8
    assert pattern.skipped["labels folder"] == 1
    (missing,) = PhotoInputs(["mem://bucket/gone"], leave_out=out)
    assert missing == "mem://bucket/gone"
    with pytest.raises(OptionError, match=r"apache-beam\[gcp\]"):
        label(photos, "nofs://bucket/labels")


@given(
    contents=st.lists(st.binary(min_size=1, max_size=2), max_size=40),
    size=st.none() | st.integers(1, 9),
    workers=st.integers(1, 3),
)
def test_a_plan_holds_every_content_once(
    contents: list[bytes], size: int | None, workers: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("plan")
    paths = [f"{folder}/{number}.jpg" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        Path(path).write_bytes(content)
    out = Folder(folder)
    plan = make_plan(paths, [RECIPE], out, size, workers, dry=False)
    shards = [read_plan(out, name) for name in plan.shards]
    planned = [path for shard in shards for _, path in shard.photos]
    assert planned == [path for n, path in enumerate(paths) if contents[n] not in contents[:n]]
    assert plan.todo_photos == len(planned) == len(paths) - plan.duplicates
    assert all(len(shard.photos) <= (size or 64) for shard in shards)
    assert shards == [make_shard([RECIPE], shard.photos) for shard in shards]
    assert len(set(plan.shards)) == len(plan.shards)


def test_more_workers_get_more_and_smaller_shards(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{number}.jpg") for number in range(64)]
    for path in paths:
        Path(path).write_text(path)
    out = Folder(tmp_path)
    plans = [make_plan(paths, [RECIPE], out, None, workers, dry=True) for workers in (1, 2, 4)]
    assert [len(plan.shards) for plan in plans] == [8, 16, 32]


def test_every_one_of_many_rejects_is_recorded_once(tmp_path: Path) -> None:
    paths = [f"{tmp_path}/{number}.jpg" for number in range(2500)]
    make_plan(paths, [RECIPE], Folder(tmp_path), None, 1, dry=False)
    assert sorted(read_rejects(tmp_path)["path"]) == sorted(paths)


@given(texts=st.lists(st.text(st.characters(exclude_characters="\x00")), min_size=5, max_size=5))
def test_rejects_come_back_as_written(
    texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("rejects")
    texts[1] = f"/{texts[1]}"  # paths are absolute
    write_rejects(folder, "shard", [Reject(*texts)])
    (row,) = read_rejects(folder).itertuples(index=False)
    assert list(row) == [storable(text) for text in texts]


def test_no_cell_of_the_rejects_is_run_by_a_spreadsheet(tmp_path: Path) -> None:
    write_rejects(tmp_path, "shard", [Reject("", "=cmd()|a.jpg", "", "missing", "@x: gone")])
    text = (tmp_path / "rejects/shard.csv").read_text()
    assert text.splitlines()[1] == ",'=cmd()|a.jpg,,missing,'@x: gone"


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b'photo,path\n"', b"\xff\xfe\x00"])
def test_a_foreign_table_among_the_rejects_is_named_and_ignored(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_rejects(tmp_path, "shard", [Reject("", "/a.jpg", "", "missing", "gone")])
    (tmp_path / "rejects/foreign.csv").write_bytes(content)
    assert list(read_rejects(tmp_path)["path"]) == ["/a.jpg"]
    assert "rejects/foreign.csv" in caplog.text
    assert "delete it" in caplog.text
