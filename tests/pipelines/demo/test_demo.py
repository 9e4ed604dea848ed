"""The demo without its minutes of training: what it computes itself, and the page it writes."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipelines.data.label_files import write_labels
from pipelines.data.label_schema import Recipe
from pipelines.data.labels import KIND, RUN_FILE, enhanced_file
from pipelines.data.provenance import read_record
from pipelines.data.splits import is_held_out
from pipelines.degradation.model import Kind
from pipelines.demo import run as demo
from pipelines.demo.page import Card, Chapter, Plot, page
from pipelines.demo.photos import (
    CROP,
    RATINGS_FILE,
    collect_cards,
    derive_ratings,
    describe,
    most_detailed_window,
    rating_of,
)
from pipelines.enhancers import enhance_pixels, load_enhancer
from pipelines.ratings.photos import rated_photos
from pipelines.ratings.table import RATINGS
from trigger.cli import app as cli
from trigger.errors import OptionError, TriggerError
from trigger.pages import Picture
from trigger.photo import photo_hash, read_photo

RECIPE = Recipe("classical", "1", "nima", "test", "upright-bilinear-448-v1")


class Page(HTMLParser):
    """The tags of a page with their attributes, its visible text, and its style and script."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""
        self.texts["text"] = self.texts.get("text", "") + " "

    def handle_data(self, data: str) -> None:
        key = self._open if self._open in ("style", "script") else "text"
        self.texts[key] = self.texts.get(key, "") + data

    def links(self) -> set[str]:
        return {
            unquote(value)
            for _, attributes in self.tags
            for name, value in attributes.items()
            if name in ("src", "href") and value and not value.startswith("#")
        }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo's folder as the commands leave it: real photos, made-up scores."""
    out = tmp_path_factory.mktemp("demo")
    demo.prepare_folder(out)
    demo.copy_photographs(out / "photos")
    for photo in (out / "photos").iterdir():
        if photo.stem not in ("china", "coffee"):
            photo.unlink()
    degrade = ["degrade", str(out / "photos"), "--out", str(out / "degraded")]
    assert cli.main([*degrade, "--kinds", "none,noise"]) == 0
    enhancer = load_enhancer("classical")
    rows, scores = [], []
    for number, path in enumerate(sorted((out / "degraded").glob("*-*-*-*"))):
        pixels, digest = read_photo(path).pixels, photo_hash(path.read_bytes())
        enhanced = out / "labels" / enhanced_file(RECIPE, digest, "png")
        enhanced.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(enhance_pixels(enhancer, pixels)).save(enhanced)
        rows.append(
            {"photo": digest, "path": str(path.absolute())}
            | {"width": pixels.shape[1], "height": pixels.shape[0], "input_score": 5.0}
            | {"input_distribution": [0.1] * 10, "enhanced_score": 5.5, "delta": 0.5}
            | vars(RECIPE)
        )
        scores.append({"photo": str(path), "score": number / 10})
    (out / "labels" / RUN_FILE).write_text(json.dumps({"kind": KIND}))
    write_labels(out / "labels", "shard", rows)
    for name in ("packaged", "demo"):
        (out / f"scores-{name}.json").write_text(json.dumps({"photos": scores}))
    derive_ratings(out)
    return out


def test_derived_ratings_follow_the_originals_and_say_that_no_person_gave_them(
    finished: Path,
) -> None:
    ratings = rated_photos(finished / RATINGS_FILE)[0]
    kinds = read_record(finished / "degraded")["kind"]
    rated = {
        kind: {
            rating
            for path, rating in zip(ratings["path"], ratings["rating"], strict=True)
            if kinds[photo_hash(Path(path).read_bytes())] == kind
        }
        for kind in ("none", "noise")
    }
    assert rated["noise"] <= {1, 2}
    assert rated["none"] <= {0, -1}
    assert ratings["raters"].str.contains("no person").all()


def test_cards_and_page_show_every_scene_and_fault_and_files_that_exist(finished: Path) -> None:
    # Where a photo lies must not depend on how the folder is written.
    cards = collect_cards(finished / "photos" / "..")
    assert {(card.scene, card.kind, card.held_out) for card in cards} == {
        (scene, kind, scene == "China")
        for scene in ("China", "Coffee")
        for kind in ("none", "noise")
    }
    cards = [card for card in cards if card.held_out]
    found = Page(page(cards, 0.4, [])).links()
    assert len(found) == 5 * len(cards)
    for link in found:
        assert (finished / link).is_file()
    before = read_photo(finished / cards[0].before.src).pixels
    whole = read_photo(finished / unquote(cards[0].photo)).pixels
    china = read_photo(finished / "photos" / "china.jpg").pixels
    left, top, right, bottom = most_detailed_window(china, *CROP)
    assert np.array_equal(before, whole[top:bottom, left:right])


def test_the_photographs_hold_out_the_same_scenes_on_every_machine(tmp_path: Path) -> None:
    demo.copy_photographs(tmp_path / "photos")
    held_out = {
        path.stem
        for path in (tmp_path / "photos").iterdir()
        if is_held_out(photo_hash(path.read_bytes()))
    }
    assert held_out == {"china", "hubble_deep_field"}


def make_card(
    text: str = "China", packaged: float = 1.0, rating: int = 2, kind: Kind = "noise"
) -> Card:
    picture = Picture("a%20b.png", 420, 260)
    return Card(
        *(text, kind, text, picture, picture, picture, "a%20b.png", "a%20b.png"),
        delta=0.3,
        rating=rating,
        packaged=packaged,
        own=-0.2,
        held_out=True,
    )


def test_page_escapes_text_and_allows_only_its_own_style_and_script() -> None:
    nasty = "<script>alert(1)</script>\"'&lt;"
    chapter = Chapter(nasty, nasty, (nasty,), 1.0, Plot("a.png", nasty, nasty))
    made = Page(page([make_card(nasty)], 0.4, [chapter]))
    plain = Page(page([make_card()], 0.4, [Chapter("", "", ("",), 1.0, Plot("a.png", "", ""))]))
    assert [tag for tag, _ in made.tags] == [tag for tag, _ in plain.tags]
    assert made.texts["text"].count(nasty) >= 6

    policy = next(a["content"] for t, a in made.tags if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(made.texts[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    inline = {name for _, attributes in made.tags for name in attributes}
    assert not {name for name in inline if name == "style" or name.startswith("on")}
    assert not re.search(r"https?://", page([make_card()], 0.4, []))


def test_page_sorts_by_score_and_marks_alerts_from_the_threshold_on() -> None:
    cards = [make_card("low", 0.39, -1), make_card("high", 2.0), make_card("just", 0.4)]
    made = page(cards, 0.4, [])
    alerts, rest = made.split("Leave alone <span")
    assert alerts.index("<h4>high") < alerts.index("<h4>just")
    assert "<h4>low" in rest
    assert alerts.count("would alert</span>") == 2
    assert rest.count("leave alone</span>") == 1


def test_summary_gives_means_by_fault_and_what_noise_does_to_the_score() -> None:
    cards = [
        make_card("china", 0.25, 0, "none"),
        make_card("china", 2.0),
        make_card("coffee", 1.5, 0, "none"),
        make_card("coffee", 1.0),
    ]
    text = " ".join(Page(page(cards, 0.4, [])).texts["text"].split())
    assert "as it is +0.30 0.88 1 0 noise +0.30 1.50 2 2 all +0.30 1.19 3 2" in text
    assert "In 1 of 2 scenes the noisy version scores above the untouched one." in text
    assert "2 of 3 alerts are on improvable photos" in text
    assert "0 of 2 improvable photos get none" in text


def test_long_lists_are_folded_but_whole() -> None:
    made = page([make_card(str(number)) for number in range(15)], 0.4, [])
    first, more = made.split("<summary>Show 3 more</summary>")
    assert (first.count('class="card alert"'), more.count('class="card alert"')) == (12, 3)


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_more_gain_never_lowers_the_derived_rating(one: float, other: float) -> None:
    low, high = sorted([one, other])
    assert rating_of(low) <= rating_of(high)
    assert {rating_of(gain) for gain in (-1.0, 0.0, 0.05, 1.0)} == set(RATINGS)


def test_most_detailed_window_finds_detail_and_fits_small_photos() -> None:
    pixels = np.zeros((90, 120, 3), np.uint8)
    pixels[60:80, 70:100] = np.random.default_rng(0).integers(0, 255, (20, 30, 1))
    left, top, right, bottom = most_detailed_window(pixels, 40, 30)
    assert left <= 69
    assert right >= 101
    assert top <= 59
    assert bottom >= 81
    assert most_detailed_window(pixels, 500, 500) == (0, 0, 120, 90)


def test_faults_are_described_in_plain_words() -> None:
    assert describe({}) == "as it is"
    assert describe({"kernel": "motion", "blur": 9.04, "angle": 3, "jpeg_quality": 20}) == (
        "motion blur (9.0 px), JPEG (quality 20)"
    )
    assert describe({"exposure": 1.5, "read_noise": 10 / 255}) == "overexposed (1.5×), noise (σ 10)"


def test_demo_replaces_only_what_it_wrote_and_refuses_other_folders(tmp_path: Path) -> None:
    own = tmp_path / "own"
    demo.prepare_folder(own)
    (own / "labels").mkdir()
    (own / "labels" / "old").write_text("")
    (own / "index.html").write_text("")
    (own / "notes.txt").write_text("mine")
    demo.prepare_folder(own)
    assert {path.name for path in own.iterdir()} == {demo.MARKER, "notes.txt"}

    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "index.html").write_text("mine")
    with pytest.raises(OptionError, match="not made by a demo"):
        demo.prepare_folder(foreign)
    assert cli.main(["demo", "--out", str(foreign)]) == 2
    assert cli.main(["demo", "--out", str(foreign / "index.html")]) == 2
    assert [path.name for path in foreign.iterdir()] == ["index.html"]


def test_a_failing_command_stops_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pipelines")
    failing = demo.Step("Look", "", (("evaluate", str(tmp_path / "missing.csv")),))
    monkeypatch.setattr(demo, "make_steps", lambda out, show_progress: [failing])
    with pytest.raises(TriggerError, match=r"trigger evaluate .*failed with exit code 1"):
        demo.run_demo(tmp_path / "demo")
    assert f"$ trigger evaluate {tmp_path}" in caplog.text
    assert not (tmp_path / "demo" / "index.html").exists()

    monkeypatch.setattr(cli, "main", lambda command: 130)
    with pytest.raises(KeyboardInterrupt):
        demo.run_demo(tmp_path / "demo")
