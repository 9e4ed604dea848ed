"""The page to look at a labels folder with."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from label_helpers import Pixels, label, write_photos
from PIL import Image

from pipelines.data.label_run import DeltaSummary
from pipelines.data.labels import read_labels
from pipelines.labelling import report
from pipelines.labelling.report import DETAIL, label_report
from pipelines.labelling.summary import describe_deltas, draw_scores
from trigger.cli.app import main
from trigger.errors import DataError
from trigger.photo import read_photo

pytestmark = pytest.mark.usefixtures("models")


def test_the_page_shows_pairs_rejects_and_where_it_all_comes_from(
    photographs: Mapping[str, Pixels], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_photos(tmp_path / "photos", photographs)
    (photos / "coffee.png").rename(photos / "<script>alert(1).png")
    (photos / "<b>broken.jpg").write_text("Dear diary")
    out = tmp_path / "out"
    label(photos, out, enhancers=("brighten", "darken"))
    next((out / "enhanced" / "darken-1").rglob("*.png")).unlink()
    (photos / "rocket.png").unlink()
    Image.new("RGB", (9, 9)).save(max((out / "enhanced" / "darken-1").rglob("*.png")))
    assert main(["labels", "report", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}/report.html\n"
    page = (out / "report.html").read_text("utf-8")
    assert "brighten 1, brightness 1, none" in page
    assert "darken 1, brightness 1, none" in page
    assert page.count("<li>") == 16
    # One enhanced photo and one photo, twice, are gone, and one has changed.
    assert page.count('type="range"') == 12
    assert page.count("The size of the enhanced photo has changed.") == 1
    assert page.count("no such file") == 2
    assert page.count("The enhanced photo was not stored.") == 1
    assert "<script>alert" not in page
    assert "<b>broken" not in page
    assert "not-a-photo" in page
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)


def test_the_best_and_the_worst_pairs_are_shown_each_once(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[npt.NDArray[np.float32]] = []

    def draw(before: npt.NDArray[np.float32], after: npt.NDArray[np.float32]) -> bytes:
        drawn.append(after - before)
        return draw_scores(before, after)

    out = tmp_path / "out"
    label(photos, out)
    rows = read_labels(out).sort_values("delta")
    best = Path(rows["path"].iloc[-1])
    best.write_bytes(Path(rows["path"].iloc[-2]).read_bytes())
    monkeypatch.setattr(report, "draw_scores", draw)
    deltas = [f"{delta:+.3f}".replace("-", "−") for delta in rows["delta"]]
    for most, shown in ((3, deltas[:-4:-1] + deltas[:3]), (6, deltas[:1:-1] + deltas[:2])):
        monkeypatch.setattr(report, "PAIRS", most)
        page = label_report(out)
        assert re.findall(r'class="delta [a-z]+">([^<]+)<', page) == shown
        assert page.index("Largest deltas") < page.index("Smallest deltas")
        assert page.count("the file has changed") == 1
    np.testing.assert_allclose(sorted(drawn[0]), rows["delta"], atol=1e-5)


def test_deltas_at_the_threshold_count() -> None:
    about = describe_deltas(np.array([-1, 0.4, 0.5, 3.1], np.float32), 0.4)
    assert about == DeltaSummary(count=4, mean=0.75, median=0.45, threshold=0.4, share_above=0.75)


def test_a_pair_shows_the_detail_that_changed_most(tmp_path: Path) -> None:
    """A bright spot in the dark is what brightening changes."""
    dark = np.zeros((600, 800, 3), np.uint8)
    dark[500:520, 700:720] = 150
    (tmp_path / "photos").mkdir()
    Image.fromarray(dark).save(tmp_path / "photos" / "dark.png")
    label(tmp_path / "photos", tmp_path / "out")
    page = label_report(tmp_path / "out")
    before, after = (
        read_photo(base64.b64decode(data)).pixels
        for data in re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    )
    assert before.shape == after.shape == (*DETAIL, 3)
    assert float(before.max()) == pytest.approx(150, abs=8)
    assert float(after.max()) == pytest.approx(225, abs=8)


def test_a_folder_without_labels_has_no_page(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a labels folder"):
        label_report(tmp_path)
