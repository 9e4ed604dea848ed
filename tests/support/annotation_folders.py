"""A labels folder and a pairs folder made without labelling, and a rating server to talk to."""

from __future__ import annotations

import hashlib
import io
import json
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from pipelines.data.label_files import write_labels
from trigger.cli.app import main

Photographs = Mapping[str, npt.NDArray[np.uint8]]
WAIT = 60.0  # seconds; the machine may be busy


def make_labels(folder: Path, photographs: Photographs, count: int, large: bool = False) -> Path:
    """LABELS with ``count`` cut-outs of photographs, deltas -1 .. 1.5, sharpened as enhancement."""
    rows = []
    (folder / "photos").mkdir(parents=True)
    names = sorted(photographs)
    for i in range(count):
        whole = Image.fromarray(photographs[names[i % len(names)]])
        size = (240, 180) if i % 3 else (180, 240)
        left = (i * 37) % (whole.width - size[0])
        photo = whole.crop((left, 20, left + size[0], 20 + size[1]))
        if large and i == 0:
            photo = whole.resize((1800, 1200))
        buffer = io.BytesIO()
        photo.save(buffer, "PNG")
        data = buffer.getvalue()
        name = hashlib.sha256(data).hexdigest()
        path = folder / "photos" / f"{i}.png"
        path.write_bytes(data)
        enhanced = folder / "labels" / "enhanced" / "test-1" / name[:2] / f"{name}.png"
        enhanced.parent.mkdir(parents=True, exist_ok=True)
        photo.filter(ImageFilter.SHARPEN).save(enhanced)
        rows.append(
            {
                "photo": name,
                "path": str(path),
                "width": photo.width,
                "height": photo.height,
                "input_score": 5 + i / count,
                "input_distribution": None,
                "enhanced_score": 4 + 3.5 * i / count,
                "delta": -1 + 2.5 * i / count,
                "enhancer": "test",
                "enhancer_version": "1",
                "scorer": "test",
                "scorer_version": "1",
                "preprocessing": "test",
            }
        )
    write_labels(folder / "labels", "0", rows)
    (folder / "labels" / "run.json").write_text(json.dumps({"kind": "trigger labels"}))
    return folder / "labels"


def make_pairs(folder: Path, photographs: Photographs, count: int = 24) -> Path:
    """PAIRS of ``count`` pairs, two of them repeated, three sentinels; one photo is large."""
    labels = make_labels(folder, photographs, count, large=True)
    arguments = ["pairs", "make", str(labels), "--out", str(folder / "pairs"), "-n", str(count)]
    assert main([*arguments, "--sentinels", "0.125", "--repeats", "0.085"]) == 0
    return folder / "pairs"


class Server:
    """``trigger annotate`` as a process of its own."""

    def __init__(self, pairs: Path, *options: str, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "trigger",
                "annotate",
                str(pairs),
                "--port",
                str(port),
                *options,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], WAIT)
        line = self.process.stdout.readline() if ready else ""
        found = re.search(r"http://([^/]+):(\d+)/", line)
        if not found:
            self.kill()
            raise AssertionError(f"the server did not start: {line!r}")
        self.port = int(found[2])
        self.host = found[1]
        self.url = f"http://{self.host}:{self.port}/"

    def kill(self) -> None:
        """End it as a power cut would: at once, wherever it is."""
        self.process.kill()
        self.process.wait(WAIT)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def serving(pairs: Path, *options: str) -> Iterator[Server]:
    server = Server(pairs, *options)
    try:
        yield server
    finally:
        server.kill()


class Client:
    """A browser's requests without a browser; paths are sent as they are."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.port = port
        self.host = host
        self.cookie = ""
        self.rater = ""

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        connection = HTTPConnection(self.host, self.port, timeout=WAIT)
        sent = {"Cookie": self.cookie} if self.cookie else {}
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, path, data, sent | dict(headers or {}))
            response = connection.getresponse()
            received = response.read()
        finally:
            connection.close()
        answered = {name.lower(): value for name, value in response.getheaders()}
        if "set-cookie" in answered:
            self.cookie = answered["set-cookie"].partition(";")[0]
        return response.status, answered, received

    def sign_in(self, **who: str) -> int:
        status, _, content = self.request("POST", "/api/session", who)
        self.rater = json.loads(content).get("rater", "")
        return status

    def work(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.request("GET", "/api/work")[2])
        return content

    def send(self, *events: dict[str, Any]) -> list[tuple[str, str]]:
        """Status and reason of each event."""
        body = {"rater": self.rater, "events": events}
        status, _, content = self.request("POST", "/api/events", body)
        assert status == 200, content
        return [(o["status"], o["reason"]) for o in json.loads(content)["outcomes"]]


def answer(number: int, pair: str, rating: int | None = 1, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"{number:016d}",
        "kind": "answer",
        "pair": pair,
        "repeat": 0,
        "time": "2025-05-01T12:00:00Z",
        "rating": rating,
        "seconds": 1.5,
    } | fields


def undo(number: int, pair: str, undoes: int) -> dict[str, Any]:
    return {
        "id": f"{number:016d}",
        "kind": "undo",
        "pair": pair,
        "repeat": 0,
        "time": "2025-05-01T12:00:05Z",
        "undoes": f"{undoes:016d}",
    }


def wait_until(condition: Any, what: str) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, f"in vain waited for {what}"
        time.sleep(0.05)
