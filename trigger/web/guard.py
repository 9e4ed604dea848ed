"""Security headers, host and origin checks, bounded JSON bodies, errors as JSON."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trigger.errors import TriggerError

MAX_BODY_BYTES = 64 * 1024
BODY_SECONDS = 20.0
SERVER_PROBLEM = "The server has a problem; see its log."
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
logger = logging.getLogger(__name__)


class Guard:
    """Puts security headers on every response and refuses requests made for another site.

    It goes around an application, not into its middleware, which responses to unforeseen errors
    bypass.

    Example:
        >>> app = Guard(Starlette(routes=routes), {"localhost", "127.0.0.1"})  # doctest: +SKIP
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Collection[str],
        headers: Mapping[str, str] = SECURITY_HEADERS,
    ) -> None:
        """Guard an application.

        Args:
            app: the application.
            hosts: names that the server answers to, in lower case; empty: to all.
            headers: headers of every response.
        """
        self._app = app
        self._hosts = frozenset(hosts)
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI applications do."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        problem = self._problem(Request(scope))
        app: ASGIApp = JSONResponse({"error": problem}, 403) if problem else self._app
        await app(scope, receive, send_guarded)

    def _problem(self, request: Request) -> str | None:
        # A web site whose name was made to point at this machine sends its own name as host.
        # (Starlette's TrustedHostMiddleware cannot name [::1].)
        host = request.headers.get("host", "")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if self._hosts and name.lower() not in self._hosts:
            return f"this server does not answer to the name {name!r}"
        origin = request.headers.get("origin")
        foreign = origin is not None and origin.partition("://")[2].lower() != host.lower()
        if foreign and request.method not in ("GET", "HEAD"):
            return "requests from other sites are refused"
        return None


async def read_json(
    request: Request, *, max_bytes: int = MAX_BODY_BYTES, seconds: float = BODY_SECONDS
) -> dict[str, Any]:
    """Return the body, a JSON object of at most ``max_bytes`` that arrives within ``seconds``.

    The content type must be application/json: browsers ask before they send that to another
    site, and are not given leave.

    Raises:
        HTTPException: 400 not a JSON object, 408 too slow, 413 too long, 415 wrong content type.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "send application/json")
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise HTTPException(413, f"at most {max_bytes} bytes")
    except TimeoutError as error:
        raise HTTPException(408, f"the body must arrive within {seconds:g} seconds") from error
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
    logger.error("%s", error)  # it may name files of this machine, so clients are not told
    return JSONResponse({"error": SERVER_PROBLEM}, 503)


async def _failed(*_: object) -> Response:
    return JSONResponse({"error": SERVER_PROBLEM}, 500)  # uvicorn logs the traceback


ERROR_HANDLERS: Mapping[Any, Callable[..., Any]] = {
    HTTPException: _explain,
    TriggerError: _unavailable,
    Exception: _failed,
}
"""Exception handlers of an application that answers in JSON."""
