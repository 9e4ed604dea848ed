"""``trigger enhancers``: what can be given as ``--enhancer``, what it repairs and what it costs."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from pipelines.enhancers import ENHANCER_SPECS, ENHANCERS, load_enhancer
from trigger.console.quiet import native_messages_muted
from trigger.errors import MissingExtra, ModelError

HEADERS = {
    "name": "name",
    "version": "version",
    "repairs": "repairs",
    "tile": "window px",
    "tile_multiple": "multiple of",
    "seconds_per_megapixel": "s/megapixel",
    "licence": "licence",
    "weights": "weights",
}


def describe_enhancers() -> list[dict[str, Any]]:
    """One dictionary per registered enhancer, sorted by name.

    Keys: ``name``, those of ``Registered``, ``version`` and ``tile_multiple`` (None where weights
    or packages are missing), and ``problem`` (what is missing and how to get it, or None).
    """
    rows = []
    for name, registered in sorted(ENHANCERS.items()):
        version = tile_multiple = problem = None
        try:
            enhancer = load_enhancer(name)
            version, tile_multiple = enhancer.version, enhancer.tile_multiple
        except (ModelError, MissingExtra) as error:
            problem = str(error)
        rows.append(
            {
                "name": name,
                "version": version,
                **asdict(registered),
                "tile_multiple": tile_multiple,
                "problem": problem,
            }
        )
    return rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``trigger enhancers``."""
    parser.description = (
        "List the enhancers known by name. Windows: photos are treated in overlapping squares of "
        "this side (0: the whole photo at once).\nCost: seconds of one core of an x86 server per "
        "megapixel."
    )
    parser.epilog = f"An enhancer is {ENHANCER_SPECS}."
    parser.add_argument("--json", action="store_true", help="print a JSON list")


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    with native_messages_muted():
        rows = describe_enhancers()
    if args.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return 0
    texts = [HEADERS] + [
        {key: "-" if row[key] is None else f"{row[key]}" for key in HEADERS} for row in rows
    ]
    widths = {key: max(len(text[key]) for text in texts) for key in HEADERS}
    for text in texts:
        line = "  ".join(text[key].ljust(widths[key]) for key in HEADERS)
        sys.stdout.write(line.rstrip() + "\n")
    for row in rows:
        if row["problem"]:
            sys.stdout.write(f"\n{row['name']} is not ready: {row['problem']}\n")
    sys.stdout.write(f"\nAn enhancer is {ENHANCER_SPECS}.\n")
    return 0
