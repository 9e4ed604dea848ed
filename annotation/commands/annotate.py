"""``trigger annotate``: rate pairs in the browser."""

from __future__ import annotations

import argparse
import ipaddress
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import uvicorn

from annotation.manifest import RATINGS_FILE, check_pictures, read_manifest
from annotation.raters import read_raters
from annotation.server import Settings, make_app
from annotation.store import Store
from trigger.errors import OptionError

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``trigger annotate``."""
    parser.description = (
        "Serve a page on which people rate before/after pairs. Ratings are kept in "
        f"PAIRS/{RATINGS_FILE}; get them as CSV with: trigger ratings export PAIRS."
    )
    parser.epilog = "example: trigger annotate pairs, then open the address that it prints"
    parser.add_argument("pairs", type=Path, metavar="PAIRS", help="folder that trigger pairs made")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (default: %(default)s, reached from this machine alone; "
        "0.0.0.0 lets others in and needs --raters)",
    )
    parser.add_argument("--port", type=int, default=8000, help="default: %(default)s; 0: any free")
    parser.add_argument(
        "--raters",
        type=Path,
        metavar="CSV",
        help="only these may rate: columns rater and token; missing tokens are made and written "
        "to the file, and a link for each rater is printed",
    )
    parser.add_argument(
        "--blind", action="store_true", help="do not say that the other photo is the enhanced one"
    )
    parser.add_argument(
        "--fixed-sides",
        action="store_true",
        help="always show the enhanced photo on the right (default: chance decides)",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    if not 0 <= args.port <= 65535:
        raise OptionError(f"--port is {args.port}; it is 0 to 65535")
    if not _is_loopback(args.host) and args.raters is None:
        raise OptionError(
            f"--host {args.host} lets other machines in; say who may rate with --raters raters.csv "
            "(a column 'rater' with names is enough)"
        )
    manifest = read_manifest(args.pairs)
    check_pictures(args.pairs, manifest)
    tokens = read_raters(args.raters) if args.raters else {}
    # Tokens protect under every name, such as that of a proxy in front.
    hosts = frozenset[str]() if tokens else LOOPBACK | {_in_address(args.host)}
    settings = Settings(args.blind, args.fixed_sides, tokens, hosts)
    listener = _listen(args.host, args.port)
    store = Store(args.pairs / RATINGS_FILE)
    try:
        _announce(args.host, listener.getsockname()[1], tokens)
        config = uvicorn.Config(
            make_app(args.pairs, manifest, store, settings),
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=3,
        )
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        pass  # the way to end it
    finally:
        count = len(store.standing())
        store.close()
        listener.close()
    sys.stdout.write(f"{count} answers in {args.pairs / RATINGS_FILE}\n")
    return 0


def _in_address(host: str) -> str:
    """A host as addresses name it."""
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        raise OptionError(
            f"cannot listen at {host}, port {port} ({error}); choose others with --host and --port"
        ) from error


def _announce(host: str, port: int, tokens: Mapping[str, str]) -> None:
    name = socket.gethostname() if host in ("0.0.0.0", "::") else host
    address = f"http://{_in_address(name)}:{port}/"
    sys.stdout.write(f"rate at {address} (end with Ctrl+C)\n")
    # What follows # stays in the browser: it is in no log of a server or proxy.
    sys.stdout.writelines(
        f"  {rater}: {address}#{quote(token)}\n" for rater, token in tokens.items()
    )
    sys.stdout.flush()
