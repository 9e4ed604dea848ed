"""Run an application with uvicorn, with limits that slow or idle clients cannot wear out."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import resource
import socket
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import ClassVar

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from trigger.errors import OptionError

BACKLOG = 128  # connections accepted at once; they are counted only afterwards


@dataclass(frozen=True)
class Limits:
    """What one client may cost the others.

    Attributes:
        connections: connections held at a time, at most half the files that this process may
            open. One more takes the place of the one that has been waiting longest for its
            client; if all are being answered, it is refused.
        header_seconds: for the headers of a request to arrive.
        idle_seconds: between two requests on one connection.
        request_seconds: for a request, from its headers to the last byte of the response.
    """

    connections: int = 512
    header_seconds: float = 10.0
    idle_seconds: float = 10.0
    request_seconds: float = 300.0


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    Raises:
        OptionError: nothing can listen there.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        used = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        reason = "it is in use already" if used else error
        raise OptionError(
            f"cannot listen at {host}, port {port} ({reason}); choose others with --host and --port"
        ) from error


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def url_host(host: str) -> str:
    """Return a host as URLs write it."""
    return f"[{host}]" if ":" in host else host


def serve_app(app: ASGIApp, listener: socket.socket, limits: Limits | None = None) -> None:
    """Serve until ^C, which ends it quietly.

    Example:
        >>> serve_app(app, listen("127.0.0.1", 8000))  # doctest: +SKIP
    """
    with suppress(KeyboardInterrupt):
        make_server(app, limits or Limits()).run(sockets=[listener])


def make_server(app: ASGIApp, limits: Limits) -> uvicorn.Server:
    """Return a server with these limits, not yet running."""
    open_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    connections = limits.connections
    if open_files != resource.RLIM_INFINITY:
        connections = min(connections, max(open_files // 2, 1))
    settings = {"limits": limits, "max_connections": connections}
    return _Server(
        uvicorn.Config(
            app,
            http=type("LimitedProtocol", (_LimitedProtocol,), settings),
            ws="none",
            lifespan="off",
            backlog=BACKLOG,
            log_config=None,
            log_level="error",
            server_header=False,
            timeout_keep_alive=limits.idle_seconds,  # type: ignore[arg-type]  # any number works
            timeout_graceful_shutdown=3,
        )
    )


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Requests cut off by stopping the server are not errors.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        super().handle_exit(sig, frame)


class _LimitedProtocol(H11Protocol):
    """HTTP with deadlines for each phase of a connection, and a cap on connections."""

    limits: ClassVar[Limits]
    max_connections: ClassVar[int]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._since = self.loop.time()
        self._deadline: asyncio.TimerHandle | None = None
        self._answering = False
        self._flushing = False
        has_room = len(self.connections) < self.max_connections or self._evict()
        super().connection_made(transport)
        if has_room:
            self._limit(self.limits.header_seconds)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._limit(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deadline is None or self._flushing:  # another request begins
            self._flushing = False
            self._limit(self.limits.header_seconds)
        super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and not self._answering:
            self._limit(self.limits.request_seconds)
        self._answering = answering

    def on_response_complete(self) -> None:
        self._answering = False
        self._since = self.loop.time()
        # What a client is slow to read still counts for this request; uvicorn limits idle time.
        self._flushing = self.transport.get_write_buffer_size() > 0
        if not self._flushing:
            self._limit(None)
        super().on_response_complete()

    @property
    def _waits_for_client(self) -> bool:
        """Whether headers or the rest of a body are awaited, or that the client reads on."""
        return (
            self.cycle is None
            or self.cycle.response_complete
            or self.cycle.more_body
            or self.flow.write_paused
        )

    def _evict(self) -> bool:
        """Close the connection that has been waiting longest; False if none is waiting."""
        waiting = [
            other
            for other in self.connections
            if isinstance(other, _LimitedProtocol) and other._waits_for_client
        ]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda other: other._since)
        self.connections.discard(oldest)  # it counts no longer, though it is closed a little later
        oldest.transport.abort()
        return True

    def _limit(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if seconds is not None:
            self._deadline = self.loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        self._deadline = None
        if not self._flushing or self.transport.get_write_buffer_size() > 0:
            self.transport.abort()
