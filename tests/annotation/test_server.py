"""The rating server: nothing lost, nothing doubled, nothing served that it should not."""

from __future__ import annotations

import asyncio
import csv
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from annotation_folders import WAIT, Client, Server, answer, make_pairs, serving, undo

from annotation.app import Settings, make_app
from annotation.manifest import RATINGS_FILE, read_manifest
from annotation.order import showings_of
from annotation.raters import read_raters
from annotation.store import Event, Outcome, Store
from pipelines.ratings.table import read_rows
from trigger.cli.app import main
from trigger.errors import DataError
from trigger.web import SERVER_PROBLEM

RATERS = 20
EACH = 8  # answers of each of them; every one waits for the disk


@pytest.fixture(scope="module")
def pairs(
    tmp_path_factory: pytest.TempPathFactory, photographs: Mapping[str, npt.NDArray[np.uint8]]
) -> Path:
    return make_pairs(tmp_path_factory.mktemp("server"), photographs)


@pytest.fixture(scope="module")
def server(pairs: Path) -> Iterator[Server]:
    with serving(pairs) as running:
        yield running


@pytest.fixture
def client(server: Server, request: pytest.FixtureRequest) -> Client:
    client = Client(server.port)
    assert client.sign_in(name=request.node.name[:50]) == 200
    return client


def standing(client: Client) -> list[tuple[str, int | None]]:
    return [(entry["pair"], entry["rating"]) for entry in client.work()["answers"]]


def test_an_answer_is_kept_once_however_often_it_is_sent(client: Client) -> None:
    pair, other = (showing["pair"] for showing in client.work()["showings"][:2])
    assert client.send(answer(1, pair, 2)) == [("saved", "")]
    assert client.send(answer(1, pair, 2), answer(1, pair, 2)) == [("known", "")] * 2
    assert client.send(answer(2, pair, 0)) == [("refused", "this pair has an answer already")]
    assert client.send(answer(1, other, 0)) == [("refused", "another answer has this id")]
    assert standing(client) == [(pair, 2)]


def test_undo_adds_a_row_and_makes_room_for_another_answer(client: Client, pairs: Path) -> None:
    pair = client.work()["showings"][0]["pair"]
    sent = [answer(11, pair, 2), undo(12, pair, 11), answer(13, pair, -1)]
    assert client.send(*sent) == [("saved", "")] * 3
    assert client.send(*sent) == [("known", "")] * 3
    assert client.send(undo(14, pair, 11)) == [("refused", "that is not the current answer")]
    assert standing(client) == [(pair, -1)]
    database = sqlite3.connect(pairs / RATINGS_FILE)
    rows = database.execute("SELECT kind FROM events WHERE id LIKE '%1_' ORDER BY number")
    assert [kind for (kind,) in rows] == ["answer", "undo", "answer"]
    for change in ("UPDATE events SET rating = 0", "DELETE FROM events"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            database.execute(change)
    database.close()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pair": "../../etc/passwd"}, "this server does not show it"),
        ({"repeat": 7}, "not shown that often"),
        ({"rating": 3}, "allowed are 2"),
        ({"rating": True}, "rating is True"),
        ({"rating": None}, "either a rating"),
        ({"rating": None, "skip": "because"}, "allowed are cannot tell"),
        ({"id": "short"}, "16 to 64"),
        ({"time": "yesterday"}, "ISO 8601"),
        ({"seconds": -1}, "from 0"),
        ({"view": "<script>"}, "key=value"),
        ({"rater": "somebody else"}, "not known"),
        ({"view": "mode=\ud800"}, "surrogates not allowed"),
        ({"kind": "undo", "undoes": "a" * 16}, "an undo has no rating"),
    ],
)
def test_events_are_checked(client: Client, change: dict[str, object], reason: str) -> None:
    pair = client.work()["showings"][0]["pair"]
    [(status, why)] = client.send(answer(100, pair) | change)
    assert (status, reason in why) == ("refused", True), why
    assert standing(client) == []


@pytest.mark.parametrize(
    "path",
    [
        "/manifest.json",
        f"/{RATINGS_FILE}",
        f"/images/../{RATINGS_FILE}",
        f"/images/..%2f{RATINGS_FILE}",
        "/images/%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/assets/../server.py",
        "/assets/..%2fserver.py",
        "/assets/%2Fetc%2Fpasswd",
        "//etc/passwd",
    ],
)
def test_nothing_else_is_served(client: Client, path: str) -> None:
    assert client.request("GET", path)[0] == 404


def test_pictures_need_a_session_and_are_those_of_the_manifest(
    client: Client, server: Server, pairs: Path
) -> None:
    picture = read_manifest(pairs).pairs[0].before.display
    assert Client(server.port).request("GET", f"/images/{picture.name}")[0] == 401
    status, headers, data = client.request("GET", f"/images/{picture.name}")
    assert (status, headers["content-type"]) == (200, "image/jpeg")
    assert data == (pairs / picture.file).read_bytes()
    sides = [showing[side] for showing in client.work()["showings"] for side in ("before", "after")]
    large = next(side for side in sides if side["full"])
    assert [client.request("GET", path)[0] for path in large.values()] == [200] * 3
    try:
        (pairs / picture.file).write_bytes(b"something else")
        status, _, content = client.request("GET", f"/images/{picture.name}")
        assert status == 503
        assert str(pairs) not in content.decode()
    finally:
        (pairs / picture.file).write_bytes(data)


def test_every_answer_carries_a_strict_policy(client: Client) -> None:
    for path in ("/", "/assets/app.js", "/api/work", "/nothing"):
        headers = client.request("GET", path)[1]
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'"), path
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_an_unforeseen_error_is_told_in_the_same_way(
    pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(pairs / RATINGS_FILE)
    app = make_app(pairs, read_manifest(pairs), store, Settings())
    monkeypatch.setattr("annotation.app._Pages._signed_in", None)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/api/session", "headers": []}
    with pytest.raises(TypeError):  # for the log
        asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    store.close()
    start, body = sent
    assert (start["status"], json.loads(body["body"])) == (500, {"error": SERVER_PROBLEM})
    headers = dict(start["headers"])
    assert headers[b"content-security-policy"].startswith(b"default-src 'none'")
    assert headers[b"cache-control"] == b"no-store"


def test_the_page_loads_nothing_from_elsewhere_and_holds_no_inline_code(client: Client) -> None:
    page = client.request("GET", "/")[2].decode()
    assert "http" not in page
    assert "style=" not in page
    assert " on" not in "".join(part.partition(">")[0] for part in page.split("<")[1:])


def test_requests_of_other_sites_are_refused(client: Client, server: Server) -> None:
    evil = {"Host": "evil.example:80"}
    assert client.request("GET", "/api/work", headers=evil)[0] == 403
    origin = {"Origin": "http://evil.example"}
    nothing = {"rater": client.rater, "events": []}
    assert client.request("POST", "/api/events", nothing, origin)[0] == 403
    own = {"Origin": f"http://127.0.0.1:{server.port}"}
    assert client.request("POST", "/api/events", nothing, own)[0] == 200
    form = {"Content-Type": "text/plain"}
    assert client.request("POST", "/api/events", {"events": []}, form)[0] == 415


def test_bodies_are_bounded(client: Client) -> None:
    assert client.request("POST", "/api/events", b"[" * 1_000_000)[0] == 413
    assert client.request("POST", "/api/events", b"[" * 60_000)[0] == 400
    many = {"rater": client.rater, "events": [{}] * 101}
    assert client.request("POST", "/api/events", many)[0] == 422
    assert client.request("POST", "/api/events", [])[0] == 400


@pytest.mark.parametrize("name", ["", " ", "=cmd()", "x" * 61, "-1"])
def test_names_are_checked(server: Server, name: str) -> None:
    assert Client(server.port).sign_in(name=name) == 422


def test_a_name_in_other_letters_is_the_same_rater(server: Server) -> None:
    first, second = Client(server.port), Client(server.port)
    first.sign_in(name="Åsa  Berg")
    first.send(answer(900, first.work()["showings"][0]["pair"]))
    second.sign_in(name="a\u030asa berg")  # as some keyboards write it
    assert second.work()["rater"] == "Åsa Berg"


def test_a_tab_of_the_rater_before_cannot_rate_for_the_next(client: Client) -> None:
    event = answer(950, client.work()["showings"][0]["pair"])
    body = {"rater": "whoever was here before", "events": [event]}
    assert client.request("POST", "/api/events", body)[0] == 401
    assert standing(client) == []


def test_a_forged_session_is_none(client: Client) -> None:
    genuine = client.cookie
    for forged in (genuine[:-4] + "0000", genuine[:-1] + "\xe9", "", f"{genuine}0"):
        client.cookie = forged
        assert client.request("GET", "/api/work")[0] == 401, forged


def test_raters_see_everything_in_an_order_of_their_own(server: Server, pairs: Path) -> None:
    orders = []
    for name in ("one", "two"):
        client = Client(server.port)
        client.sign_in(name=name)
        work = client.work()
        orders.append([(showing["pair"], showing["repeat"]) for showing in work["showings"]])
        text = json.dumps(work)
        for word in ("sentinel", "identical", "enhancer", "delta", "path"):
            assert word not in text
        assert {showing["after_side"] for showing in work["showings"]} == {"left", "right"}
    assert orders[0] != orders[1]
    expected = [(p.pair, r) for p in read_manifest(pairs).pairs for r in range(1 + p.repeat)]
    for order in orders:
        assert sorted(order) == sorted(expected)
        for pair, repeat in order:
            if repeat:
                assert order.index((pair, 1)) - order.index((pair, 0)) > 3


def test_repeats_come_neither_soon_nor_late_and_on_a_side_of_their_own(pairs: Path) -> None:
    first = read_manifest(pairs).pairs[0]
    many = [replace(first, pair=f"{i:016}", repeat=i < 40) for i in range(400)]
    places = {
        (showing.pair.pair, showing.repeat): (place, showing.after)
        for place, showing in enumerate(showings_of(many, "Ann", fixed_sides=False))
    }
    both = [(places[name, 0], places[name, 1]) for name, repeat in places if repeat]
    assert len(both) == 40
    gaps = [later - earlier for (earlier, _), (later, _) in both]
    assert 15 <= min(gaps) <= max(gaps) <= 80
    assert 8 < sum(side != other for (_, side), (_, other) in both) < 32


def test_invited_raters_sign_in_by_token(pairs: Path, tmp_path: Path) -> None:
    raters = tmp_path / "raters.csv"
    raters.write_text("rater,mail,token\nAnn,ann@home,\nBen,ben@home,ben-has-chosen-this\n")
    with serving(pairs, "--raters", str(raters), "--fixed-sides", "--blind") as server:
        with raters.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        assert [row["mail"] for row in rows] == ["ann@home", "ben@home"]
        tokens = {row["rater"]: row["token"] for row in rows}
        assert len(tokens["Ann"]) >= 16
        client = Client(server.port)
        assert client.sign_in(name="Ann") == 403
        assert client.sign_in(token="guess") == 403
        assert client.request("GET", "/api/work")[0] == 401
        assert client.sign_in(token=tokens["Ann"]) == 200
        work = client.work()
        assert (work["rater"], work["blind"]) == ("Ann", True)
        assert {showing["after_side"] for showing in work["showings"]} == {"right"}


def test_a_list_of_raters_may_come_from_a_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "raters.csv"
    path.write_text(f"\ufeffrater; token\n\nZo\u00eb; {'z' * 16}\n\nBen\n")
    raters = read_raters(path)
    assert list(raters) == ["Zo\u00eb", "Ben"]
    assert raters["Zo\u00eb"] == "z" * 16
    assert read_raters(path) == raters  # with the token that was made for Ben
    path.write_text("rater,token\n\nAnn,\n\n=x,\n")
    with pytest.raises(DataError, match="line 5: rater is '=x'"):
        read_raters(path)


@pytest.mark.parametrize("tokens", ["", "z" * 16])
def test_only_their_owner_reads_tokens(tmp_path: Path, tokens: str) -> None:
    path = tmp_path / "raters.csv"
    path.write_text(f"rater;token;note\nZoe;{tokens};=1+1\n")
    path.chmod(0o644)
    token = read_raters(path)["Zoe"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_raters(path) == {"Zoe": token}
    if not tokens:
        assert path.read_text() == f"rater,token,note\nZoe,{token},'=1+1\n"


def test_a_session_is_worth_what_the_invitation_is(
    client: Client, pairs: Path, tmp_path: Path
) -> None:
    raters = tmp_path / "raters.csv"
    raters.write_text(f"rater,token\nAnn,{'a' * 16}\n")
    with serving(pairs, "--raters", str(raters)) as server:
        stranger, ann = Client(server.port), Client(server.port)
        stranger.cookie = client.cookie  # given where nobody needs an invitation
        assert stranger.request("GET", "/api/work")[0] == 401
        assert ann.sign_in(token="a" * 16) == 200
        assert ann.request("GET", "/api/work")[0] == 200
    raters.write_text(f"rater,token\nAnn,{'b' * 16}\n")
    with serving(pairs, "--raters", str(raters)) as server:
        ann.port = server.port
        assert ann.request("GET", "/api/work")[0] == 401


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("Ann,short", "16 or more characters"),
        (f"Ann,{'a' * 16}\nBen,{'a' * 16}", "line 3: 'Ben' or this token is there twice"),
        ("Ann,\nANN,", "line 3: 'ANN' or this token is there twice"),
    ],
)
def test_invitations_that_tell_nobody_apart_are_refused(
    tmp_path: Path, rows: str, words: str
) -> None:
    raters = tmp_path / "raters.csv"
    raters.write_text(f"rater,token\n{rows}\n")
    with pytest.raises(DataError, match=words):
        read_raters(raters)


def test_other_machines_need_an_invitation(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annotate", str(pairs), "--host", "0.0.0.0"]) == 2
    assert "--raters" in capsys.readouterr().err


def test_the_announced_address_is_answered(pairs: Path) -> None:
    with serving(pairs, "--host", "127.0.0.2") as server:
        client = Client(server.port, "127.0.0.2")
        assert client.request("GET", "/")[0] == 200


def test_twenty_raters_at_once_lose_and_double_nothing(server: Server, pairs: Path) -> None:
    deadline = time.monotonic() + 2 * WAIT

    def rate(number: int) -> dict[tuple[str, int], int]:
        client = Client(server.port)
        client.sign_in(name=f"load {number}")
        given = {}
        for i, showing in enumerate(client.work()["showings"][:EACH]):
            assert time.monotonic() < deadline, "the server is too slow"
            rating = (number + i) % 4 - 1
            event = answer(100_000 * (number + 1) + i, showing["pair"], rating)
            event["repeat"] = showing["repeat"]
            competitor = event | {"id": f"x{event['id']}", "rating": 1 - rating // 2}
            outcomes = client.send(event, competitor) + client.send(event)
            assert [status for status, _ in outcomes] == ["saved", "refused", "known"]
            given[showing["pair"], showing["repeat"]] = rating
        return given

    with ThreadPoolExecutor(RATERS) as pool:
        expected = dict(enumerate(pool.map(rate, range(RATERS))))
    store = Store(pairs / RATINGS_FILE)
    for number, given in expected.items():
        events = [event for _, event in store.current_answers(f"load {number}")]
        assert len(events) == len(given)
        assert {(event.pair, event.repeat): event.rating for event in events} == given
    store.close()


def test_two_processes_may_write_to_one_file(tmp_path: Path) -> None:
    stores = [Store(tmp_path / "r.sqlite") for _ in range(2)]

    def write(number: int) -> str:
        event = Event(f"{number:016d}", "answer", "pair", 0, "2025-05-01T12:00:00Z", 1)
        return stores[number % 2].record("rater", [event])[0].status

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(write, range(40))) == ["refused"] * 39 + ["saved"]
    assert len(stores[0].current_answers()) == 1
    for store in stores:
        store.close()


def said(number: int, pair: str, **fields: Any) -> Event:
    return Event.from_json(answer(number, pair, 1, seconds=None) | fields)


def test_each_showing_of_a_pair_has_an_answer_of_its_own(tmp_path: Path) -> None:
    store = Store(tmp_path / "r.sqlite")
    both = [said(1, "p"), said(2, "p", repeat=1, rating=2)]
    taken_back = Event.from_json(undo(3, "p", 2) | {"repeat": 1})
    assert [o.status for o in store.record("Ann", [*both, taken_back])] == ["saved"] * 3
    assert store.current_answers() == [("Ann", both[0])]
    wrong = Event.from_json(undo(4, "p", 1) | {"repeat": 1})
    (outcome,) = store.record("Ann", [wrong])
    assert (outcome.status, outcome.reason) == ("refused", "that is not the current answer")
    store.close()


def test_an_id_that_somebody_else_has_used_is_not_taken_for_saved(tmp_path: Path) -> None:
    store = Store(tmp_path / "r.sqlite")
    store.record("Ann", [said(1, "p")])
    (outcome,) = store.record("Ben", [said(1, "p")])
    assert (outcome.status, outcome.reason) == ("refused", "another answer has this id")
    store.close()


def test_answers_are_on_disk_all_or_none_when_they_are_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(self: Store, rater: str, event: Event) -> Outcome:
        if event.pair == "q":
            raise sqlite3.OperationalError("database or disk is full")
        return whole(self, rater, event)

    store = Store(tmp_path / "r.sqlite")
    assert store._query("PRAGMA synchronous") == [(2,)]  # FULL: a commit waits for the disk
    whole = Store._add
    monkeypatch.setattr(Store, "_add", add)
    with pytest.raises(DataError, match="cannot be saved"):
        store.record("Ann", [said(1, "p"), said(2, "q")])
    assert store.current_answers() == []
    assert store.record("Ann", [said(3, "r")])[0].status == "saved"
    assert [event.pair for _, event in store.current_answers()] == ["r"]
    store.close()


def test_a_damaged_file_of_ratings_is_said(tmp_path: Path) -> None:
    path = tmp_path / "ratings.sqlite"
    store = Store(path)
    answers = [
        Event(f"{number:016}", "answer", f"pair {number}", 0, "2026-01-01T00:00:00Z", rating=1)
        for number in range(200)
    ]
    store.record("Ann", answers)
    store.close()
    content = bytearray(path.read_bytes())
    for start in range(4096, len(content), 4096):
        content[start : start + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(DataError, match="ratings"):
        Store(path).current_answers()


def test_what_is_exported_can_be_imported(client: Client, pairs: Path, tmp_path: Path) -> None:
    showings = client.work()["showings"]
    client.send(
        answer(201, showings[0]["pair"], 2, view="mode=side after=left"),
        answer(202, showings[1]["pair"], None, skip="cannot tell"),
    )
    exported, again = tmp_path / "exported.csv", tmp_path / "again.csv"
    assert main(["ratings", "export", str(pairs), "--out", str(exported)]) == 0
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "manifest.json").write_bytes((pairs / "manifest.json").read_bytes())
    (copy / "images").symlink_to(pairs / "images")
    for _ in range(2):
        assert main(["ratings", "import", str(exported), "--into", str(copy)]) == 0
    assert main(["ratings", "export", str(copy), "--out", str(again)]) == 0
    assert again.read_text() == exported.read_text()
    assert {row.rating for row in read_rows(exported) if row.rater.startswith("test_what")} == {
        2,
        None,
    }
    tasks = tmp_path / "tasks.json"
    assert main(["ratings", "export", str(pairs), "--out", str(tasks)]) == 0
    tasked = [
        (task["data"]["pair"], task["data"]["repeat"]) for task in json.loads(tasks.read_text())
    ]
    assert sorted(tasked) == sorted((showing["pair"], showing["repeat"]) for showing in showings)
    assert main(["ratings", "import", str(tasks), "--out", str(again)]) == 0
    key = lambda row: row.id  # noqa: E731
    assert sorted(read_rows(again), key=key) == sorted(read_rows(exported), key=key)
