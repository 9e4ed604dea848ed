"""``trigger enhancers``: list the enhancers, convert networks of other projects."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from pipelines.enhancers.external.convert_tfjs import convert_tfjs
from pipelines.enhancers.registry import ENHANCER_SPECS, EnhancerFacts, describe_enhancers
from trigger.console.quiet import native_messages_muted

_COLUMNS = {
    "name": "name",
    "version": "version",
    "repairs": "repairs",
    "tile": "window px",
    "tile_multiple": "multiple of",
    "seconds_per_megapixel": "s/megapixel",
    "license": "license",
    "weights": "weights",
}


EPILOG = f"""An enhancer is {ENHANCER_SPECS}.

\b
Example:
  trigger enhancers list --json
"""


@click.command(epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def command(as_json: bool) -> None:
    """List the enhancers known by name: what they repair and what they cost.

    Windows: photos are processed in overlapping squares of this side (0: the whole photo at
    once). Cost: seconds of one core of an x86 server per megapixel.
    """
    with native_messages_muted():
        enhancers = describe_enhancers()
    if as_json:
        sys.stdout.write(json.dumps([asdict(facts) for facts in enhancers], indent=2) + "\n")
        return
    sys.stdout.writelines(f"{line}\n" for line in _table(enhancers))
    unready: dict[str, list[str]] = {}
    for facts in enhancers:
        if facts.problem:
            unready.setdefault(facts.problem, []).append(facts.name)
    for problem, names in unready.items():
        are = "is" if len(names) == 1 else "are"
        sys.stdout.write(f"\n{', '.join(names)} {are} not ready: {problem}\n")
    sys.stdout.write(f"\nAn enhancer is {ENHANCER_SPECS}.\n")


@click.command()
@click.argument("package", type=click.Path(path_type=Path))
def convert(package: Path) -> None:
    """Convert MAXIM from an unpacked npm PACKAGE to a SavedModel.

    Where the package allows it, the result is compared with the package's own picture. The
    SavedModel is written to the folder TRIGGER_MODELS (by default ~/.cache/trigger). Takes
    minutes.

    \b
    Example:
      npm install --prefix maxim @upscalerjs/maxim-denoising@0.1.0
      trigger enhancers convert maxim/node_modules/@upscalerjs/maxim-denoising
    """
    with native_messages_muted():
        folder, difference = convert_tfjs(package)
    compared = (
        "its result picture cannot be compared"
        if difference is None
        else f"at most {difference}/255 from its result picture"
    )
    sys.stdout.write(f"{folder}: made from {package}; {compared}\n")


def _table(enhancers: list[EnhancerFacts]) -> list[str]:
    rows = [list(_COLUMNS.values())]
    for facts in enhancers:
        values = [getattr(facts, column) for column in _COLUMNS]
        rows.append(["-" if value is None else str(value) for value in values])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
