from __future__ import annotations

import base64
import csv
import hashlib
import html.parser
import io
import json
import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trigger import Assessment, RejectedPhoto, Trigger
from trigger.errors import DataError
from trigger.pages.contact_sheet import THUMBNAIL_SIDE, contact_sheet, make_thumbnails
from trigger.ranking import Ranking, rank, rank_photos
from trigger.spreadsheets import unescape_formula

NASTY = "a <b onclick='x'> & \"q\"</script>.png"


def assessed(name: str, score: float) -> Assessment:
    return Assessment(name, score, 0.4, score >= 0.4, "", 640, 480, 0.0, 0.0, "none")


results = st.lists(
    st.builds(assessed, st.text(min_size=1), st.floats(-9, 9))
    | st.builds(RejectedPhoto, st.text(min_size=1), st.just("corrupt"), st.text())
)


@given(results)
def test_rankings_are_sorted_and_survive_csv_and_json(
    found: list[Assessment | RejectedPhoto],
) -> None:
    ranking = rank(found, model="m", threshold=0.4)
    scores = [photo.score for photo in ranking.photos]
    assert scores == sorted(scores, reverse=True)
    assert len(ranking.photos) + len(ranking.rejected) == len(found)
    assert ranking.alerts == sum(score >= 0.4 for score in scores)

    rows = list(csv.DictReader(io.StringIO(ranking.to_csv(), newline="")))
    names = [photo.photo for photo in ranking.photos] + [photo.photo for photo in ranking.rejected]
    assert [unescape_formula(row["photo"]) for row in rows] == names
    assert not any(row["photo"].startswith(tuple("=+@")) for row in rows)
    assert [row["rank"] for row in rows[: len(scores)]] == [str(n + 1) for n in range(len(scores))]
    assert all(row["error"] == "corrupt" for row in rows[len(scores) :])

    loaded = json.loads(ranking.to_json())
    assert [photo["score"] for photo in loaded["photos"]] == scores
    assert loaded["counts"]["rejected"] == len(loaded["rejected"]) == len(ranking.rejected)


def test_the_csv_says_what_to_enhance_and_equal_scores_are_in_order_of_name() -> None:
    found = [assessed("c", 0.4), assessed("b", 0.39), assessed("a", 0.4)]
    lines = rank(found, model="m", threshold=0.4).to_csv().splitlines()
    assert lines == [
        "rank,photo,score,enhance,width,height,error",
        "1,a,0.400000,1,640,480,",
        "2,c,0.400000,1,640,480,",
        "3,b,0.390000,0,640,480,",
    ]


@pytest.fixture(scope="module")
def ranking(
    photographs: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> Ranking:
    folder = tmp_path_factory.mktemp("photos")
    found: list[Assessment | RejectedPhoto] = []
    names = ["50% off #1?", *list(photographs)[1:]]
    for index, (name, photo) in enumerate(zip(names, photographs.values(), strict=True)):
        Image.fromarray(photo).save(folder / f"{name}.jpg")
        found.append(assessed(str(folder / f"{name}.jpg"), index / 5 - 0.3))
    found.append(assessed(NASTY, 7.5))
    found.append(RejectedPhoto(f"rejected {NASTY}", "corrupt", "is <damaged>"))
    return rank(found, model="trigger 9", threshold=0.4)


class Page(html.parser.HTMLParser):
    """Collects what a browser would make of the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def page(ranking: Ranking) -> str:
    thumbnails = make_thumbnails(ranking.photos, workers=2)
    return contact_sheet(ranking, ranking.photos, thumbnails, Path(ranking.photos[1].photo).parent)


def test_the_sheet_shows_every_photo_best_first(page: str, ranking: Ranking) -> None:
    parsed = Page(page)
    names = [card["data-name"] for card in parsed.all("li") if "data-name" in card]
    assert names == [photo.photo for photo in ranking.photos]
    assert page.count('class="badge"') == ranking.alerts
    assert "no longer readable" in parsed.text  # the first one is no file
    pictures = parsed.all("img")
    assert [picture["alt"] for picture in pictures] == names[1:]
    links = [link["href"] for link in parsed.all("a")]
    assert [unquote(str(link)) for link in links] == [Path(str(name)).name for name in names[1:]]
    assert links[-1] == "50%25%20off%20%231%3F.jpg"
    for picture in pictures:
        data = (picture["src"] or "").removeprefix("data:image/jpeg;base64,")
        thumbnail = Image.open(io.BytesIO(base64.b64decode(data)))
        assert max(thumbnail.size) == THUMBNAIL_SIDE


def test_bars_reach_to_the_scores_and_marks_to_the_threshold(page: str) -> None:
    """From -0.3, below the least score, to 7.5, the best."""
    rectangles = Page(page).all("rect")
    shown = [rectangle["width"] for rectangle in rectangles if rectangle["class"] == "part"]
    assert (shown[0], shown[1], shown[-1]) == ("100.0%", "17.9%", "0.0%")  # 7.5, 1.1 and -0.3
    assert {mark["x"] for mark in rectangles if mark["class"] == "tick"} == {"9.0%"}


def test_names_and_messages_are_text_never_markup(page: str) -> None:
    parsed = Page(page)
    assert parsed.text.count(NASTY) == 2
    assert "is <damaged>" in parsed.text
    assert not parsed.all("b")
    assert not any("onclick" in attributes for _, attributes in parsed.tags)


def test_nothing_but_the_pages_own_script_and_style_may_run(page: str) -> None:
    parsed = Page(page)
    policy = str(parsed.all("meta")[1]["content"])
    assert policy.startswith("default-src 'none'; img-src data:;")
    for tag in ("style", "script"):
        (source,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not parsed.all("link")
    assert "http" not in "".join(
        str(value) for _, a in parsed.tags for k, value in a.items() if k in {"src", "href"}
    )


def test_an_empty_ranking_is_still_a_page(tmp_path: Path) -> None:
    empty = rank([], model="m", threshold=0.4)
    assert "0 photos" in contact_sheet(empty, [], [], tmp_path)


def test_folders_are_ranked_from_python(photographs: dict[str, np.ndarray], tmp_path: Path) -> None:
    for name in ("coffee", "rocket"):
        Image.fromarray(photographs[name]).save(tmp_path / f"{name}.png")
    (tmp_path / "broken.jpg").write_text("no photo")
    ranking = rank_photos([tmp_path, tmp_path / "." / "coffee.png"], Trigger(threshold=-9))
    assert len(ranking.photos) == ranking.alerts == 2
    assert [photo.reason for photo in ranking.rejected] == ["not-a-photo"]
    with pytest.raises(DataError, match="no photos in"):
        rank_photos([tmp_path / "none" for _ in range(0)])
