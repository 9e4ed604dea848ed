"""``trigger pairs``: make before/after pairs, and sheets of them."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from annotation.pairs import MAX_SHARE, PairOptions, make_pairs
from annotation.sheets import HANDED_OUT, KEY_FILE, make_sheets
from trigger.assessment import DEFAULT_THRESHOLD
from trigger.cli.options import FINITE, LOCAL_PATH, POSITIVE, SEED
from trigger.console.terminal import counted

logger = logging.getLogger(__name__)
_SHARE = click.FloatRange(0, MAX_SHARE)


@click.command(
    epilog="\b\nExample:\n  trigger pairs make labels --out pairs -n 1000\n  trigger annotate pairs"
)
@click.argument("labels", type=LOCAL_PATH, metavar="LABELS")
@click.option("--out", type=LOCAL_PATH, required=True, metavar="PAIRS", help="New folder.")
@click.option("-n", type=POSITIVE, default=1000, show_default=True, help="Photos to choose.")
@click.option(
    "--threshold",
    type=FINITE,
    default=DEFAULT_THRESHOLD,
    show_default=True,
    help="Delta from which a photo should be enhanced.",
)
@click.option(
    "--sentinels",
    type=_SHARE,
    default=0.05,
    show_default=True,
    metavar="SHARE",
    help="Pairs with a known answer, as a share of those chosen: a degraded photo as after, the "
    "same photo twice, a degraded photo as before.",
)
@click.option(
    "--repeats",
    type=_SHARE,
    default=0.05,
    show_default=True,
    metavar="SHARE",
    help="Pairs to show a second time, as a share of those chosen.",
)
@click.option(
    "--enhancer",
    metavar="NAME",
    help="Where LABELS holds labels of several: which one, 'NAME' or 'NAME VERSION'.",
)
@click.option("--scorer", metavar="NAME", help="The same for scorers.")
@click.option(
    "--seed", type=SEED, default=0, show_default=True, help="The same seed chooses the same pairs."
)
@click.option(
    "--workers", type=POSITIVE, metavar="N", help="Threads (default: one per core, at most 4)."
)
def make(
    labels: Path,
    out: Path,
    n: int,
    threshold: float,
    sentinels: float,
    repeats: float,
    enhancer: str | None,
    scorer: str | None,
    seed: int,
    workers: int | None,
) -> int:
    """Choose labelled photos worth rating, and make their before/after pairs.

    Chosen are photos of all deltas, most of them near the threshold, diverse in content. Pairs
    with a known answer (sentinels) and second showings (repeats) are mixed in to measure how
    careful raters are. PAIRS/manifest.json names every picture by its hash.
    """
    options = PairOptions(n, threshold, sentinels, repeats, enhancer, scorer, seed)
    made = make_pairs(labels, out, options, workers=workers, show_progress=True)
    for problem in made.skipped:
        logger.warning("skipped %s", problem)
    sys.stdout.write(made.summary())
    return 1 if made.skipped else 0


@click.command(
    epilog="\b\nExample:\n  trigger pairs sheets pairs --out sheets\n"
    "  trigger ratings import --sheets sheets sheets/sheets/answers.csv --out ratings.csv"
)
@click.argument("pairs", type=LOCAL_PATH, metavar="PAIRS")
@click.option("--out", type=LOCAL_PATH, required=True, metavar="SHEETS", help="New folder.")
@click.option(
    "--seed",
    type=SEED,
    default=0,
    show_default=True,
    help="Another one gives another order and other sides.",
)
@click.option(
    "--workers", type=POSITIVE, metavar="N", help="Threads (default: one per core, at most 4)."
)
def sheets(pairs: Path, out: Path, seed: int, workers: int | None) -> None:
    """Make blind sheets for raters without a browser.

    Each sheet is a picture with both photos of a pair as A and B, in random order: the whole
    photo, and the part where they differ most at 100 %. Sentinels and repeats, with sides swapped,
    are among them. Give raters the folder SHEETS/sheets; keep SHEETS/key.json, which records which
    photo is which, to yourself.
    """
    key = make_sheets(pairs, out, seed=seed, workers=workers, show_progress=True)
    repeats = sum(sheet.repeat > 0 for sheet in key.sheets)
    sentinels = sum(bool(sheet.sentinel) for sheet in key.sheets)
    sys.stdout.write(
        f"{counted(len(key.sheets), 'sheet')} in {out / HANDED_OUT}, among them "
        f"{counted(repeats, 'repeat')} and {counted(sentinels, 'sentinel')}; "
        f"keep {out / KEY_FILE} from raters\n"
        f"read their answers with: trigger ratings import --sheets {out} ANSWERS --out CSV\n"
    )
