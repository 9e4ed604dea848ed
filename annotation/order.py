"""In which order a rater sees the pairs, and on which side the enhanced photo is.

Both follow from the names of the rater and the pairs alone: the same after every restart, and
different for every rater, so that early pairs do not get all the fresh eyes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from annotation.manifest import Pair

NEAREST_REPEAT, FURTHEST_REPEAT = 20, 60  # about, from a pair to its repeat


@dataclass(frozen=True)
class Showing:
    """A pair as one rater sees it; ``repeat`` is 1 for the second time."""

    pair: Pair
    repeat: int
    after: Literal["left", "right"]


def plan(pairs: Sequence[Pair], rater: str, *, fixed_sides: bool) -> list[Showing]:
    """All showings of a rater, in order.

    Args:
        pairs: all pairs.
        rater: whose.
        fixed_sides: the enhanced photo is always on the right; otherwise chance decides.
    """
    total = len(pairs)
    nearest, furthest = min(NEAREST_REPEAT, total // 4), min(FURTHEST_REPEAT, total // 2)
    places: list[tuple[float, Showing]] = []
    for pair in pairs:
        where = _chance(rater, pair.pair, "place") * total
        if pair.repeat:
            where *= 1 - furthest / total  # early enough for its repeat to find room
            gap = nearest + (furthest - nearest) * _chance(rater, pair.pair, "gap")
            places.append((where + gap, _showing(pair, 1, rater, fixed_sides)))
        places.append((where, _showing(pair, 0, rater, fixed_sides)))
    return [showing for _, showing in sorted(places, key=lambda place: place[0])]


def _showing(pair: Pair, repeat: int, rater: str, fixed_sides: bool) -> Showing:
    left = not fixed_sides and _chance(rater, pair.pair, f"side {repeat}") < 0.5
    return Showing(pair, repeat, "left" if left else "right")


def _chance(*names: str) -> float:
    """A number in [0, 1) that looks random but depends on the names alone."""
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
