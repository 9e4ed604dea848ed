"""The order in which a rater sees the pairs, and the side of the enhanced photo.

Both are drawn from the names of the rater and the pairs: the same after every restart, different
for every rater, so that no pair is always among the first, which get the freshest eyes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from annotation.manifest import Pair

MIN_GAP, MAX_GAP = 20, 60  # about, from a pair to its repeat


@dataclass(frozen=True)
class Showing:
    """A pair as one rater sees it; ``repeat`` is 1 for the second time."""

    pair: Pair
    repeat: int
    after: Literal["left", "right"]


def showings_of(pairs: Sequence[Pair], rater: str, *, fixed_sides: bool) -> list[Showing]:
    """Return all showings of a rater, in order.

    Args:
        pairs: all pairs.
        rater: the name.
        fixed_sides: the enhanced photo is always on the right; otherwise its side is random.

    Example:
        >>> showings_of(manifest.pairs, "Ann", fixed_sides=False)[0].after  # doctest: +SKIP
        'left'
    """
    total = len(pairs)
    nearest, furthest = min(MIN_GAP, total // 4), min(MAX_GAP, total // 2)
    places: list[tuple[float, Showing]] = []
    for pair in pairs:
        where = chance(rater, pair.pair, "place") * total
        if pair.repeat:
            where *= 1 - furthest / total  # early enough for its repeat to find room
            gap = nearest + (furthest - nearest) * chance(rater, pair.pair, "gap")
            places.append((where + gap, _showing(pair, 1, rater, fixed_sides)))
        places.append((where, _showing(pair, 0, rater, fixed_sides)))
    return [showing for _, showing in sorted(places, key=lambda place: place[0])]


def _showing(pair: Pair, repeat: int, rater: str, fixed_sides: bool) -> Showing:
    left = not fixed_sides and chance(rater, pair.pair, f"side {repeat}") < 0.5
    return Showing(pair, repeat, "left" if left else "right")


def chance(*names: str) -> float:
    """Return a number in [0, 1) that looks random but depends on the names alone."""
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
