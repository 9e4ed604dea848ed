"""A rater at work, in a real browser: what was clicked is what is kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
from annotation_folders import WAIT, Server, make_pairs, serving, wait_until

from annotation.manifest import RATINGS_FILE
from annotation.store import Store
from pipelines.ratings.table import Rating, read_rows
from trigger.cli.app import main

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytest.importorskip(
    "playwright.sync_api", reason="no playwright; install it with: pip install playwright"
)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium; install it with: apt-get install chromium"
)
KEYS = {2: "1", 1: "2", 0: "3", -1: "4"}
LONG_ENOUGH = 350  # milliseconds; faster answers are taken for double clicks
PHONE = {
    "viewport": {"width": 390, "height": 760},
    "device_scale_factor": 3,
    "has_touch": True,
    "is_mobile": True,
}
PROBLEMS: dict[Page, list[str]] = {}
"""Errors of scripts by page."""


@pytest.fixture(scope="module")
def all_pairs(
    tmp_path_factory: pytest.TempPathFactory, photographs: Mapping[str, npt.NDArray[np.uint8]]
) -> Path:
    return make_pairs(tmp_path_factory.mktemp("browser"), photographs)


@pytest.fixture
def pairs(all_pairs: Path, tmp_path: Path) -> Path:
    """A pairs folder that nobody has rated."""
    (tmp_path / "images").symlink_to(all_pairs / "images")
    shutil.copy(all_pairs / "manifest.json", tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], timeout=WAIT * 1000
        )
        yield chromium
        chromium.close()


@contextmanager
def context_of(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    context = browser.new_context(**options)
    context.set_default_timeout(WAIT * 1000)
    yield context
    context.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with context_of(browser) as opened:
        yield opened


def sign_in(context: BrowserContext, server: Server, name: str) -> Page:
    page = context.new_page()
    PROBLEMS[page] = []
    page.on("pageerror", lambda error: PROBLEMS[page].append(str(error)))
    page.goto(server.url)
    enter(page, name)
    page.get_by_role("button", name="Got it").click()
    ready(page)
    return page


def enter(page: Page, name: str) -> None:
    page.get_by_label("Your name").fill(name)
    page.keyboard.press("Enter")


def another_tab(context: BrowserContext, server: Server) -> Page:
    """Of the rater who is signed in."""
    page = context.new_page()
    page.goto(server.url)
    page.get_by_role("button", name="Got it").click()
    ready(page)
    return page


def ready(page: Page) -> str:
    """Wait until the pair can be answered; returns what the page calls it."""
    page.wait_for_selector("#ratings button:enabled")
    page.wait_for_timeout(LONG_ENOUGH)
    return str(page.get_attribute("#stage", "aria-label"))


def press(page: Page, rating: int) -> None:
    before = ready(page)
    page.keyboard.press(KEYS[rating])
    page.wait_for_function(
        "before => document.querySelector('#stage').getAttribute('aria-label') !== before",
        arg=before,
    )


def all_saved(page: Page) -> None:
    page.wait_for_function(
        "() => Object.keys(localStorage).every(key => !key.startsWith('outbox'))"
    )


def exported(pairs: Path, folder: Path) -> list[Rating]:
    assert main(["ratings", "export", str(pairs), "--out", str(folder / "out.csv")]) == 0
    return read_rows(folder / "out.csv")


def answers(pairs: Path, rater: str) -> list[int | None]:
    """Ratings that stand, in the order they came."""
    store = Store(pairs / RATINGS_FILE)
    try:
        return [event.rating for _, event in store.current_answers(rater)]
    finally:
        store.close()


def test_twenty_pairs_by_keyboard_are_in_the_csv_as_they_were_clicked(
    context: BrowserContext, pairs: Path, tmp_path: Path
) -> None:
    with serving(pairs) as server:
        page = sign_in(context, server, "Keys")
        page.evaluate(
            """() => {
                let pressed = 0;
                window.delays = [];
                addEventListener("keydown", () => { pressed = performance.now(); }, true);
                new MutationObserver(() => requestAnimationFrame(
                    () => window.delays.push(performance.now() - pressed),
                )).observe(document.querySelector("#stage"), {attributeFilter: ["aria-label"]});
            }"""
        )
        clicked = [(-1, 0, 1, 2)[i % 4] for i in range(20)]
        for rating in clicked[:10]:
            press(page, rating)
        press(page, 2)
        ready(page)
        page.keyboard.press("u")  # that was a mistake
        page.wait_for_function(
            "() => document.querySelector('#stage').ariaLabel.startsWith('Pair 11 ')"
        )
        for rating in clicked[10:]:
            press(page, rating)
        ready(page)
        page.keyboard.press("x")
        page.keyboard.press("2")
        page.wait_for_function(
            "() => document.querySelector('#stage').ariaLabel.startsWith('Pair 22 ')"
        )
        all_saved(page)
        page.get_by_role("button", name="Summary").click()
        assert "21 of 29 answered" in page.inner_text("#summary")
        page.get_by_role("button", name="Close").click()
        delays = page.evaluate("window.delays")
        assert len(delays) >= 21
        assert median(delays) < 100, delays
        assert PROBLEMS[page] == []
    rows = exported(pairs, tmp_path)
    assert [row.rating for row in rows] == [*clicked, None]
    assert rows[-1].skip == "did not load"
    assert len({(row.pair, row.repeat) for row in rows}) == 21
    assert all(row.rater == "Keys" and row.seconds and row.seconds < 60 for row in rows[:-1])
    assert all("mode=side" in row.view and "blind=no" in row.view for row in rows)


def test_ratings_survive_a_server_that_is_killed_and_started_again(
    context: BrowserContext, pairs: Path
) -> None:
    server = Server(pairs)
    try:
        page = sign_in(context, server, "Kill")
        press(page, 2)
        all_saved(page)
        server.kill()
        press(page, -1)
        press(page, 1)
        page.wait_for_function(
            "() => document.querySelector('#sync').textContent"
            " === 'Server unreachable, 2 kept here'"
        )
        server = Server(pairs, port=server.port)
        press(page, 0)
        all_saved(page)
        assert answers(pairs, "Kill") == [2, -1, 1, 0]
        page.reload()
        ready(page)
        assert page.inner_text("#count") == "4 of 29"
        assert PROBLEMS[page] == []
    finally:
        server.kill()


def test_ratings_made_offline_wait_in_the_browser_even_if_the_tab_is_closed(
    context: BrowserContext, pairs: Path
) -> None:
    with serving(pairs) as server:
        page = sign_in(context, server, "Train")
        page.wait_for_timeout(1000)  # time to load ahead
        context.set_offline(True)
        for rating in (1, 0, 2):
            press(page, rating)
        page.close()
        assert answers(pairs, "Train") == []
        context.set_offline(False)
        page = context.new_page()
        page.goto(server.url)
        ready(page)
        all_saved(page)
        assert answers(pairs, "Train") == [1, 0, 2]
        assert page.inner_text("#count") == "3 of 29"


def test_double_clicks_and_two_tabs_give_one_rating(
    browser: Browser, context: BrowserContext, pairs: Path
) -> None:
    with serving(pairs) as server:
        first = sign_in(context, server, "Twice")
        second = another_tab(context, server)
        first.bring_to_front()
        first.get_by_role("button", name="Moderate improvement").dblclick()
        all_saved(first)
        assert answers(pairs, "Twice") == [1]
        # The other tab shows the next pair without a click.
        second.wait_for_function("() => document.querySelector('#count').textContent === '1 of 29'")
        # Another browser cannot know; its answer comes too late.
        with context_of(browser) as elsewhere:
            third = elsewhere.new_page()
            third.goto(server.url)
            enter(third, "twice")
            ready(third)
            second.bring_to_front()
            press(second, 2)
            all_saved(second)
            third.keyboard.press(KEYS[-1])
            third.wait_for_function(
                "() => document.querySelector('#note').textContent.includes('has an answer')"
            )
            third.wait_for_function(
                "() => document.querySelector('#count').textContent === '2 of 29'"
            )
        assert answers(pairs, "Twice") == [1, 2]


def test_who_signs_in_next_does_not_inherit_ratings(context: BrowserContext, pairs: Path) -> None:
    with serving(pairs) as server:
        ann = sign_in(context, server, "Ann")
        other = another_tab(context, server)
        other.get_by_role("button", name="Summary").click()
        other.get_by_role("button", name="Sign out").click()
        enter(other, "Ben")
        other.get_by_role("button", name="Got it").click()
        ready(other)
        ann.bring_to_front()
        ann.keyboard.press(KEYS[2])
        ann.wait_for_selector("#welcome:visible")
        assert answers(pairs, "Ben") == []
        enter(ann, "Ann")
        ann.wait_for_function("() => document.querySelector('#count').textContent === '1 of 29'")
        all_saved(ann)
        assert answers(pairs, "Ann") == [2]


def test_ratings_of_a_longer_name_wait_for_that_rater(context: BrowserContext, pairs: Path) -> None:
    with serving(pairs) as server:
        page = sign_in(context, server, "Ann B")
        page.wait_for_timeout(1000)  # time to load ahead
        context.set_offline(True)
        press(page, 2)
        page.close()
        context.set_offline(False)
        context.clear_cookies()
        page = sign_in(context, server, "Ann")
        press(page, 0)
        page.wait_for_function("() => document.querySelector('#sync').textContent === 'All saved'")
        assert answers(pairs, "Ann") == [0]
        page.close()
        context.clear_cookies()
        page = context.new_page()
        page.goto(server.url)
        enter(page, "Ann B")
        all_saved(page)
        assert answers(pairs, "Ann B") == [2]


def test_a_skip_is_of_the_pair_that_was_asked_about(context: BrowserContext, pairs: Path) -> None:
    with serving(pairs) as server:
        first = sign_in(context, server, "Skip")
        second = another_tab(context, server)
        first.bring_to_front()
        first.keyboard.press("x")
        second.bring_to_front()
        press(second, 1)
        all_saved(second)
        first.bring_to_front()
        first.wait_for_function("() => document.querySelector('#count').textContent === '1 of 29'")
        first.keyboard.press("3")
        first.wait_for_function(
            "() => document.querySelector('#note').textContent.includes('another tab')"
        )
        assert answers(pairs, "Skip") == [1]


def test_a_link_signs_in_whatever_its_token(
    context: BrowserContext, pairs: Path, tmp_path: Path
) -> None:
    raters = tmp_path / "raters.csv"
    raters.write_text("rater,token\nAnn,100 % möchte ich #raten\n", "utf-8")
    with serving(pairs, "--raters", str(raters)) as server:
        assert server.process.stdout is not None
        link = server.process.stdout.readline().split()[-1]
        page = context.new_page()
        page.goto(link)
        page.get_by_role("button", name="Got it").click()
        ready(page)
        assert "#" not in page.url


def test_space_flickers_wherever_the_focus_is(context: BrowserContext, pairs: Path) -> None:
    with serving(pairs) as server:
        page = sign_in(context, server, "Space")
        page.get_by_role("button", name="Flicker").click()
        for focus in (None, "#hold"):
            if focus:
                page.focus(focus)
            page.keyboard.down(" ")
            wait_until(lambda: shown(page) == ["Before"], "the other photo")
            page.keyboard.up(" ")
            wait_until(lambda: shown(page) == ["Enhanced"], "the enhanced photo")


def test_on_a_phone_everything_is_within_reach(browser: Browser, pairs: Path) -> None:
    with serving(pairs) as server, context_of(browser, **PHONE) as context:
        page = sign_in(context, server, "Phone")
        for button in page.locator("#ratings button, #undo, #skip").all():
            box = button.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 44
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
            assert box["y"] + box["height"] <= 760
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.get_by_role("button", name="Flicker").tap()
        assert shown(page) == ["Enhanced"]
        hold = page.get_by_role("button", name="Hold to see the other")
        hold.dispatch_event("pointerdown", {"pointerId": 1, "bubbles": True})
        wait_until(lambda: shown(page) == ["Before"], "the other photo")
        page.get_by_role("button", name="Neutral").tap()
        all_saved(page)
        assert answers(pairs, "Phone") == [0]
        context.set_offline(True)
        ready(page)
        page.get_by_role("button", name="Neutral").tap()
        page.wait_for_selector("#sync[data-waiting=true]")
        wait_until(lambda: "unreachable" in page.inner_text("#sync"), "the news")
        for width in (390, 340):
            page.set_viewport_size({"width": width, "height": 760})
            for part in page.locator("#stage, header button, #tools button:visible").all():
                box = part.bounding_box()
                assert box is not None
                assert box["x"] + box["width"] <= width


def shown(page: Page) -> list[str]:
    captions = page.locator("#stage figcaption").all()
    return [
        caption.inner_text()
        for caption in captions
        if caption.evaluate("caption => getComputedStyle(caption).visibility") == "visible"
    ]


def test_both_photos_are_zoomed_and_moved_together(context: BrowserContext, pairs: Path) -> None:
    with serving(pairs) as server:
        page = sign_in(context, server, "Zoom")
        places = """() => [...document.querySelectorAll(".photo")].map((photo) => {
            const [own, pane] = [photo, photo.parentElement].map((e) => e.getBoundingClientRect());
            const place = [own.left - pane.left, own.top - pane.top, own.width, own.height];
            return place.map(Math.round);
        })"""
        while True:  # the large photo, which has a full copy, comes somewhere
            page.keyboard.press("z")
            if page.inner_text("#zoom") == "100 %":
                break
            press(page, 0)
        zoomed = page.evaluate(places)
        assert zoomed[0] == zoomed[1]
        assert zoomed[0][2:] == [1800, 1200]
        page.wait_for_function("() => document.querySelectorAll('.photo img').length === 6")
        page.keyboard.press("ArrowRight")
        page.mouse.move(300, 300)
        page.mouse.down()
        page.mouse.move(280, 250)
        page.mouse.up()
        moved = page.evaluate(places)
        assert moved[0] == moved[1]
        assert moved[0][:2] != zoomed[0][:2]
        whole = page.viewport_size
        assert whole
        page.set_viewport_size({"width": 320, "height": 500})  # full copies are for larger ones
        press(page, 0)
        page.keyboard.press("u")
        ready(page)
        page.set_viewport_size(whole)
        page.keyboard.press("z")
        page.wait_for_function("() => document.querySelectorAll('.photo img').length === 6")
        page.mouse.wheel(0, -300)
        closer = page.evaluate(places)
        assert closer[0] == closer[1]
        assert closer[0][2] > 1800
        page.keyboard.press("z")
        assert page.inner_text("#zoom").startswith("Fit")
        page.keyboard.press("l")
        page.keyboard.press("ArrowLeft")
        assert page.input_value("#position") == "46"
        page.keyboard.down(" ")
        assert shown(page) == ["Before"]
        page.keyboard.up(" ")
        assert shown(page) == ["Enhanced"]


def test_blind_raters_are_not_told_which_photo_is_enhanced(
    context: BrowserContext, pairs: Path
) -> None:
    with serving(pairs, "--blind") as server:
        page = sign_in(context, server, "Blind")
        assert sorted(shown(page)) == ["Before", "Other"]
        assert "nhanced" not in page.inner_text("#rating")
        press(page, 1)
        all_saved(page)


def test_all_text_has_contrast_and_all_controls_have_names(
    context: BrowserContext, pairs: Path
) -> None:
    with serving(pairs) as server:
        page = sign_in(context, server, "Access")
        poor = page.evaluate(
            """() => {
                const channels = (color) => color.match(/[\\d.]+/g).map(Number);
                const linear = (v) =>
                    v <= 10 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
                const luminance = ([r, g, b]) =>
                    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
                const ground = (element) => {
                    for (let e = element; e; e = e.parentElement) {
                        const [r, g, b, a = 1] = channels(getComputedStyle(e).backgroundColor);
                        if (a > 0.5) return [r, g, b];
                    }
                };
                document.querySelectorAll("dialog").forEach((dialog) => dialog.show());
                return [...document.querySelectorAll("body *")].filter((e) =>
                    e.checkVisibility() && !e.matches(":disabled, noscript") &&
                    [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())
                ).map((e) => {
                    const [a, b] = [channels(getComputedStyle(e).color), ground(e)].map(luminance);
                    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.outerHTML];
                }).filter(([ratio]) => ratio < 4.5);
            }"""
        )
        assert poor == []
        page.evaluate("document.querySelectorAll('dialog').forEach((dialog) => dialog.close())")
        for control in page.locator("button, input").all():
            name = control.evaluate(
                "e => e.ariaLabel || e.innerText || e.textContent || e.labels?.[0]?.textContent"
            )
            assert name.strip(), control.evaluate("e => e.outerHTML")
        reached = set()
        for _ in range(25):
            page.keyboard.press("Tab")
            reached.add(
                page.evaluate("document.activeElement.id || document.activeElement.innerText")
            )
        assert {"help-button", "summary-button", "stage", "zoom", "skip"} <= reached
