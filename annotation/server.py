"""The rating server: a page, the pictures of the manifest, and an address for ratings.

It serves nothing but what it listed when it started: no request names a path on disk.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from annotation.manifest import Manifest, Side, read_picture
from annotation.order import Showing, plan
from annotation.raters import clean_name, rater_of, same_name
from annotation.store import ID, SKIPS, Event, Store
from pipelines.ratings.table import RATINGS
from trigger.errors import DataError

MAX_BODY_BYTES = 64 * 1024
MAX_EVENTS = 100
PROBLEM = "The server has a problem; its owner can see which."
_LOG = logging.getLogger(__name__)
_YEAR = 365 * 24 * 3600
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "jpg": "image/jpeg",
    "png": "image/png",
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
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
    """The server of one pairs folder.

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
        exception_handlers={
            HTTPException: _explain,
            DataError: _unavailable,
            Exception: _failed,
        },
    )
    # Around it, not as its middleware, which answers to unforeseen errors would not pass.
    return _Guard(app, settings.hosts)


class _Guard:
    """Sets the security headers on every answer, and refuses what another site may have sent."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        problem = self._problem(Request(scope))
        app: ASGIApp = JSONResponse({"error": problem}, 403) if problem else self._app
        await app(scope, receive, send_guarded)

    def _problem(self, request: Request) -> str | None:
        # A web site whose name was made to point at this machine sends its own name as host.
        host = request.headers.get("host", "")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if self._hosts and name.lower() not in self._hosts:
            return f"this server does not answer to the name {name!r}"
        origin = request.headers.get("origin")
        foreign = origin is not None and origin.partition("://")[2].lower() != host.lower()
        if foreign and request.method not in ("GET", "HEAD"):
            return "requests of other sites are refused"
        return None


class _Pages:
    def __init__(self, folder: Path, manifest: Manifest, store: Store, settings: Settings) -> None:
        self._folder = folder
        self._manifest = manifest
        self._store = store
        self._secret = store.secret  # read once, so that no request waits for a rating being saved
        self._settings = settings
        # Browsers share cookies between the ports of a machine, where another server may run.
        self._cookie = f"rater-{manifest.name}"
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
        body = await _read_json(request)
        if self._settings.tokens:
            rater = rater_of(str(body.get("token", "")), self._settings.tokens)
            if rater is None:
                raise HTTPException(403, "This token is not on the list of raters.")
        else:
            try:
                rater = clean_name(str(body.get("name", "")))
            except ValueError as error:
                raise HTTPException(422, f"Please mend the name: {error}.") from error
            rater = same_name(rater, await run_in_threadpool(self._store.raters))
        response = JSONResponse({"rater": rater})
        response.set_cookie(
            self._cookie,
            self._sign(rater),
            max_age=_YEAR,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response

    async def sign_out(self, request: Request) -> Response:
        response = JSONResponse({})
        response.delete_cookie(self._cookie, httponly=True, samesite="strict")
        return response

    async def work(self, request: Request) -> Response:
        """All showings of a rater with the answers that stand; says nothing of sentinels."""
        rater = self._rater(request)
        showings = plan(self._manifest.pairs, rater, fixed_sides=self._settings.fixed_sides)
        standing = await run_in_threadpool(self._store.standing, rater)
        return JSONResponse(
            {
                "pairs": self._manifest.name,
                "rater": rater,
                "blind": self._settings.blind,
                "ratings": [[number, word] for number, word in RATINGS.items()],
                "skips": SKIPS,
                "showings": [_showing_json(showing) for showing in showings],
                "answers": [
                    {
                        "id": answer.id,
                        "pair": answer.pair,
                        "repeat": answer.repeat,
                        "rating": answer.rating,
                        "skip": answer.skip,
                        "seconds": answer.seconds,
                    }
                    for _, answer in standing
                ],
            }
        )

    async def events(self, request: Request) -> Response:
        """Save events; an event is named in the reply only after it is on disk."""
        rater = self._rater(request)
        body = await _read_json(request)
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
                told = name if isinstance(name, str) and ID.fullmatch(name) else ""
                refused.append({"id": told, "status": "refused", "reason": str(error)})
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
        cookie = request.cookies.get(self._cookie, "")
        try:
            rater = bytes.fromhex(cookie.partition(".")[0]).decode()
        except ValueError:
            return None
        # Of bytes: it refuses to compare text that is not ASCII, which a forger may well send.
        genuine = hmac.compare_digest(self._sign(rater).encode(), cookie.encode())
        invited = not self._settings.tokens or rater in self._settings.tokens
        return rater if rater and genuine and invited else None

    def _sign(self, rater: str) -> str:
        # Who takes a token off the list, or changes it, ends the sessions that began with it.
        message = f"{rater}\0{self._settings.tokens.get(rater, '')}".encode()
        signature = hmac.new(self._secret, message, hashlib.sha256).hexdigest()
        return f"{rater.encode().hex()}.{signature}"


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


async def _read_json(request: Request) -> dict[str, Any]:
    """The body as a JSON object, at most ``MAX_BODY_BYTES``.

    The content type makes browsers ask before they send it for another site, and they are
    not given leave.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "send application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, f"at most {MAX_BODY_BYTES} bytes")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "not JSON") from error
    if not isinstance(content, dict):
        raise HTTPException(400, "not a JSON object")
    return content


async def _explain(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _unavailable(_: Request, error: Exception) -> Response:
    _LOG.error("%s", error)  # names files of this machine, which are no business of a rater
    return JSONResponse({"error": PROBLEM}, 503)


async def _failed(*_: object) -> Response:
    return JSONResponse({"error": PROBLEM}, 500)  # the traceback is logged by who runs the server
