"""``trigger upscale``: make photos four times larger with Real-ESRGAN."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from pipelines.enhancers.external.realesrgan import SCALE, upscale
from trigger.console.terminal import printable
from trigger.errors import DataError, PhotoError

logger = logging.getLogger(__name__)


EPILOG = """Exit codes: 0 all done, 1 some photos failed (or an error), 2 wrong usage.

\b
Example:
  trigger upscale IMG_0042.jpg
"""


@click.command(epilog=EPILOG)
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--drop-extras",
    is_flag=True,
    help="Leave out of the new file what enlarging breaks (see trigger enhance) instead of "
    "refusing; what is dropped is named.",
)
def command(photos: tuple[Path, ...], drop_extras: bool) -> int:
    """Write PHOTOS four times larger next to them, as NAME-x4; takes minutes per megapixel."""
    code = 0
    for photo in photos:
        try:
            result = upscale(photo, drop_extras=drop_extras, show_progress=True)
        except (PhotoError, DataError) as error:
            code = 1
            logger.warning("%s", error)
            continue
        if result.dropped:
            logger.warning("%s: dropped %s", photo, "; ".join(result.dropped))
        for path, (width, height) in ((photo, result.size), (result.file, result.larger_size)):
            megapixels = width * height / 1e6
            name, size = printable(str(path)), path.stat().st_size
            sys.stdout.write(
                f"{name}: {width}x{height}, {megapixels:.2f} megapixels, {size:,} bytes\n"
            )
    sys.stdout.write(f"upscaling factor: {SCALE}\n")
    return code
