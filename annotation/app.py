"""Web application for rating: the page, the pictures of the manifest, and the API for answers.

It serves only files listed at start; no request names a path on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from annotation.manifest import (
    Manifest,
    Side,
    read_picture,
)
from annotation.order import Showing, showings_of
from annotation.raters import clean_name, rater_of, same_name
from annotation.store import ID, SKIPS, Event, Store
from pipelines.ratings.table import RATINGS
from trigger.web import (
    ERROR_HANDLERS,
    Guard,
    Sessions,
    read_json,
)

MAX_EVENTS = 100
_YEAR = 365 * 24 * 3600
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "jpg": "image/jpeg",
    "png": "image/png",
}


@dataclass(frozen=True)
class Settings:
    """How pairs are shown, and to whom.

    Attributes:
        blind: the enhanced photo is not called enhanced.
        fixed_sides: the enhanced photo is always on the right.
        tokens: token by rater; empty: everyone may rate under any name.
        hosts: names the server answers to; empty: to all.
    """

    blind: bool = False
    fixed_sides: bool = False
    tokens: Mapping[str, str] = field(default_factory=dict)
    hosts: frozenset[str] = frozenset()


def make_app(folder: Path, manifest: Manifest, store: Store, settings: Settings) -> ASGIApp:
    """Return the application that serves one pairs folder.

    Args:
        folder: PAIRS.
        manifest: its manifest.
        store: where ratings go; the caller closes it.
        settings: how pairs are shown, and to whom.
    """
    pages = _Pages(folder, manifest, store, settings)
    app = Starlette(
        routes=[
            Route("/", pages.asset),
            Route("/assets/{name}", pages.asset),
            Route("/images/{name}", pages.image),
            Route("/api/session", pages.session),
            Route("/api/session", pages.sign_in, methods=["POST"]),
            Route("/api/session", pages.sign_out, methods=["DELETE"]),
            Route("/api/work", pages.work),
            Route("/api/events", pages.events, methods=["POST"]),
        ],
        exception_handlers=ERROR_HANDLERS,
    )
    return Guard(app, settings.hosts)


class _Pages:
    def __init__(self, folder: Path, manifest: Manifest, store: Store, settings: Settings) -> None:
        self._folder = folder
        self._manifest = manifest
        self._store = store
        self._settings = settings
        # The secret is read once, so that no request waits for a rating being saved.
        self._sessions = Sessions(store.secret, f"rater-{manifest.name}")
        self._pictures = manifest.pictures
        self._pairs = {pair.pair: pair for pair in manifest.pairs}
        web = resources.files("annotation") / "web"
        self._assets = {file.name: file.read_bytes() for file in web.iterdir() if file.is_file()}

    async def asset(self, request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in self._assets:
            raise HTTPException(404, "there is no such file")
        return Response(
            self._assets[name],
            media_type=_TYPES[name.rpartition(".")[2]],
            headers={"Cache-Control": "no-cache"},
        )

    async def image(self, request: Request) -> Response:
        self._rater(request)
        picture = self._pictures.get(request.path_params["name"])
        if picture is None:
            raise HTTPException(404, "there is no such picture")
        data = await run_in_threadpool(read_picture, self._folder, picture)
        return Response(
            data,
            media_type=_TYPES[picture.name.rpartition(".")[2]],
            # The name is the hash of the content, so a copy can never be out of date.
            headers={"Cache-Control": f"private, max-age={_YEAR}, immutable"},
        )

    async def session(self, request: Request) -> Response:
        return JSONResponse(
            {"rater": self._signed_in(request), "token": bool(self._settings.tokens)}
        )

    async def sign_in(self, request: Request) -> Response:
        body = await read_json(request)
        token = ""
        if self._settings.tokens:
            rater = rater_of(str(body.get("token", "")), self._settings.tokens)
            if rater is None:
                raise HTTPException(403, "This token is not on the list of raters.")
            token = self._settings.tokens[rater]
        else:
            try:
                name = clean_name(str(body.get("name", "")))
            except ValueError as error:
                raise HTTPException(422, f"Please correct the name: {error}.") from error
            rater = same_name(name, await run_in_threadpool(self._store.raters))
        response = JSONResponse({"rater": rater})
        self._sessions.start(response, request, rater, token)
        return response

    async def sign_out(self, request: Request) -> Response:
        response = JSONResponse({})
        self._sessions.end(response)
        return response

    async def work(self, request: Request) -> Response:
        """All showings of a rater with the current answers; does not reveal sentinels."""
        rater = self._rater(request)
        showings = showings_of(self._manifest.pairs, rater, fixed_sides=self._settings.fixed_sides)
        current = await run_in_threadpool(self._store.current_answers, rater)
        return JSONResponse(
            {
                "pairs": self._manifest.name,
                "rater": rater,
                "blind": self._settings.blind,
                "ratings": [[number, word] for number, word in RATINGS.items()],
                "skips": SKIPS,
                "showings": [_showing_json(showing) for showing in showings],
                "answers": [_answer_json(answer) for _, answer in current],
            }
        )

    async def events(self, request: Request) -> Response:
        """Save events; an event is named in the reply only after it is on disk."""
        rater = self._rater(request)
        body = await read_json(request)
        if body.get("rater") != rater:  # in another tab, somebody else has signed in meanwhile
            raise HTTPException(401, "Somebody else is signed in. Please sign in again.")
        contents = body.get("events")
        if not isinstance(contents, list) or len(contents) > MAX_EVENTS:
            raise HTTPException(422, f"events is a list of at most {MAX_EVENTS}")
        events: list[Event] = []
        refused: list[dict[str, str]] = []
        for content in contents:
            try:
                event = Event.from_json(content)
                self._check_showing(event)
                events.append(event)
            except ValueError as error:
                name = content.get("id") if isinstance(content, dict) else None
                known = name if isinstance(name, str) and ID.fullmatch(name) else ""
                refused.append({"id": known, "status": "refused", "reason": str(error)})
        outcomes = await run_in_threadpool(self._store.record, rater, events)
        return JSONResponse({"outcomes": [*(vars(outcome) for outcome in outcomes), *refused]})

    def _check_showing(self, event: Event) -> None:
        pair = self._pairs.get(event.pair)
        if pair is None:
            raise ValueError(f"pair is {event.pair!r}; this server does not show it")
        if not 0 <= event.repeat <= pair.repeat:
            raise ValueError(f"repeat is {event.repeat}; this pair is not shown that often")
        if event.skip and event.skip not in SKIPS:
            raise ValueError(f"skip is {event.skip!r}; allowed are {', '.join(SKIPS)}")

    def _rater(self, request: Request) -> str:
        rater = self._signed_in(request)
        if rater is None:
            raise HTTPException(401, "Please sign in.")
        return rater

    def _signed_in(self, request: Request) -> str | None:
        # Taking a token off the list, or changing it, ends the sessions that began with it.
        return self._sessions.user(request, self._settings.tokens or None)


def _showing_json(showing: Showing) -> dict[str, Any]:
    pair = showing.pair
    return {
        "pair": pair.pair,
        "repeat": showing.repeat,
        "after_side": showing.after,
        "width": pair.width,
        "height": pair.height,
        "crop": [*pair.crop, pair.before.crop.width, pair.before.crop.height],
        "before": _side_json(pair.before),
        "after": _side_json(pair.after),
    }


def _side_json(side: Side) -> dict[str, str | None]:
    return {
        "display": f"/images/{side.display.name}",
        "crop": f"/images/{side.crop.name}",
        "full": f"/images/{side.full.name}" if side.full else None,
    }


def _answer_json(answer: Event) -> dict[str, Any]:
    names = ("id", "pair", "repeat", "rating", "skip", "seconds")
    return {name: getattr(answer, name) for name in names}
