"""Servers outlive clients that are slow, idle or many; real sockets throughout."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from trigger.errors import OptionError
from trigger.web.guard import ERROR_HANDLERS, Guard, read_json
from trigger.web.serving import Limits, listen, make_server

LARGE = 50_000_000  # bytes; more than any socket buffers
WAIT = 30.0  # seconds; the machine may be busy


async def _hello(_: Request) -> Response:
    return JSONResponse("hello")


async def _post(request: Request) -> Response:
    return JSONResponse(await read_json(request, seconds=1))


async def _large(_: Request) -> Response:
    return Response(bytes(LARGE))


async def _parts(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(LARGE // 100_000):
            yield bytes(100_000)

    return StreamingResponse(parts())


@contextmanager
def running(limits: Limits) -> Iterator[int]:
    """Serve in a thread; gives the port."""
    routes = [
        Route("/", _hello),
        Route("/post", _post, methods=["POST"]),
        Route("/large", _large),
        Route("/parts", _parts),
    ]
    app = Guard(Starlette(routes=routes, exception_handlers=ERROR_HANDLERS), {"127.0.0.1"})
    with closing(listen("127.0.0.1", 0)) as listener:
        server = make_server(app, limits)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        wait_until(lambda: server.started)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(WAIT)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def connect(port: int, sent: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=WAIT)
    client.sendall(sent)
    return client


def is_closed(client: socket.socket) -> bool:
    """Whether the server closes the connection, after whatever it sends."""
    try:
        while client.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


def get(port: int) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=WAIT)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


HALF = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        HALF,
        HALF + b"\r\n" + HALF,  # the second request on a connection
        b"POST /post HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\n\r\n{",
    ],
    ids=["nothing", "half of the headers", "half of a second request", "half of a body"],
)
def test_clients_that_stop_sending_are_cut_off(sent: bytes) -> None:
    limits = Limits(header_seconds=0.5, idle_seconds=0.5, request_seconds=2)
    with running(limits) as port, connect(port, sent) as client:
        begin = time.monotonic()
        assert is_closed(client)
        assert time.monotonic() - begin < WAIT / 2
        assert get(port) == (200, b'"hello"')


def test_headers_that_trickle_in_are_cut_off() -> None:
    sent = 0
    limits = Limits(header_seconds=0.6)
    with running(limits) as port, connect(port, HALF) as client, suppress(ConnectionError):
        for sent in range(300):
            client.sendall(f"X-{sent}: 1\r\n".encode())
            time.sleep(0.05)
    assert sent < 299


def test_a_body_that_is_too_slow_is_told() -> None:
    head = b"POST /post HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with running(Limits()) as port, connect(port, head + b"Content-Length: 9\r\n\r\n{") as client:
        assert client.recv(12) == b"HTTP/1.1 408"


def test_clients_that_never_read_are_cut_off() -> None:
    request = HALF.replace(b"GET /", b"GET /large") + b"\r\n"
    with running(Limits(request_seconds=1)) as port, connect(port, request) as client:
        time.sleep(2)
        received = 0
        with suppress(ConnectionError):
            while chunk := client.recv(1 << 20):
                received += len(chunk)
        assert received < LARGE  # what the system had buffered


@pytest.mark.parametrize("sent", [b"", HALF], ids=["silent", "half-open"])
def test_more_connections_than_allowed_keep_nobody_out(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    limits = Limits(connections=100, header_seconds=WAIT)
    with caplog.at_level(logging.WARNING), running(limits) as port, ExitStack() as clients:
        opened = [clients.enter_context(connect(port, sent)) for _ in range(350)]
        begin = time.monotonic()
        assert [get(port)[0] for _ in range(5)] == [200] * 5
        assert time.monotonic() - begin < WAIT / 2
        assert is_closed(opened[0])  # the one that waited longest
        opened[-1].sendall((b"" if sent else HALF) + b"Connection: close\r\n\r\n")
        assert opened[-1].recv(12) == b"HTTP/1.1 200"  # the one that came last is still served
    assert not caplog.records


def test_clients_that_never_read_keep_nobody_out() -> None:
    request = HALF.replace(b"GET /", b"GET /parts") + b"\r\n"
    with running(Limits(connections=10)) as port, ExitStack() as clients:
        for _ in range(15):
            client = clients.enter_context(connect(port, request))
            assert client.recv(12) == b"HTTP/1.1 200"
        time.sleep(0.3)  # until all that the system buffers is full
        assert [get(port)[0] for _ in range(5)] == [200] * 5


def test_a_port_in_use_is_an_option_error() -> None:
    with (
        closing(listen("127.0.0.1", 0)) as taken,
        pytest.raises(OptionError, match=r"\(it is in use already\); choose others with --host"),
    ):
        listen("127.0.0.1", taken.getsockname()[1])
