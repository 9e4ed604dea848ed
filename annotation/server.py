"""Serve the rating page, to this machine or, with tokens, to others."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from annotation.app import Settings, make_app
from annotation.manifest import (
    RATINGS_FILE,
    check_pictures,
    read_manifest,
)
from annotation.store import Store
from trigger.errors import OptionError
from trigger.web import (
    Limits,
    is_loopback,
    listen,
    serve_app,
    url_host,
)

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def serve(
    pairs: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    tokens: Mapping[str, str] | None = None,
    blind: bool = False,
    fixed_sides: bool = False,
    limits: Limits | None = None,
    on_start: Callable[[str], None] | None = None,
) -> int:
    """Serve the rating page until ^C.

    Args:
        pairs: PAIRS.
        host: address to listen at; any but this machine's own needs tokens.
        port: 0 for any free one.
        tokens: token by rater (see ``read_raters``); None: everyone may rate under any name.
        blind: do not say which photo is the enhanced one.
        fixed_sides: always show the enhanced photo on the right.
        limits: what one client may cost the others.
        on_start: called with the address of the page once connections are accepted.

    Returns:
        The number of answers in PAIRS.

    Raises:
        DataError: it is not a pairs folder, or pictures are missing.
        OptionError: nothing can listen there, or tokens are needed.

    Example:
        >>> serve(Path("pairs"), port=8000)  # doctest: +SKIP
    """
    if not is_loopback(host) and not tokens:
        raise OptionError(
            f"--host {host} lets other machines in; say who may rate with --raters raters.csv "
            "(a column 'rater' with names is enough)"
        )
    manifest = read_manifest(pairs)
    check_pictures(pairs, manifest)
    # Tokens protect under every name, such as that of a proxy in front.
    hosts = frozenset[str]() if tokens else LOOPBACK | {url_host(host)}
    listener = listen(host, port)
    store = Store(pairs / RATINGS_FILE)
    try:
        app = make_app(pairs, manifest, store, Settings(blind, fixed_sides, tokens or {}, hosts))
        if on_start:
            name = socket.gethostname() if host in ("0.0.0.0", "::") else host
            on_start(f"http://{url_host(name)}:{listener.getsockname()[1]}/")
        serve_app(app, listener, limits)
    except KeyboardInterrupt:
        pass  # ^C before the server was up
    finally:
        count = len(store.current_answers())
        store.close()
        listener.close()
    return count
