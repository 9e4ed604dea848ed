"""Answers of raters, made up for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.ratings.table import Rating


def rating(pair: str, rater: str, value: int | None, **fields: Any) -> Rating:
    row: dict[str, Any] = {
        "id": f"{pair}-{rater}-{fields.get('repeat', 0)}",
        "pair": pair,
        "photo": "",
        "path": f"{pair}.png",
        "scene": "",
        "enhancer": "test-1",
        "rater": rater,
        "rating": value,
        "skip": "" if value is not None else "other",
        "time": "2025-05-01T12:00:00Z",
        "seconds": 2.5,
        "view": "mode=side",
        "sentinel": "",
        "repeat": 0,
    }
    return Rating(**row | fields)


def panel() -> list[Rating]:
    """Two careful raters, and one who presses keys at random."""
    truth = [(-1, 0, 1, 2)[i % 4] for i in range(40)]
    noise = np.random.default_rng(1).integers(-1, 3, 80).tolist()
    rows = []
    for i, value in enumerate(truth):
        rows += [
            rating(f"p{i}", "ann", value),
            rating(f"p{i}", "ben", max(value - (i % 5 == 0), -1)),
            rating(f"p{i}", "zoe", noise[i]),
        ]
    for i in range(6):
        kind, known = (("identical", 0), ("good", 2), ("bad", -1))[i % 3]
        rows += [rating(f"s{i}", name, known, sentinel=kind) for name in ("ann", "ben")]
        rows.append(rating(f"s{i}", "zoe", (2, -1, 2)[i % 3], sentinel=kind))
        rows += [rating(f"p{i}", "ann", truth[i], repeat=1)]
        rows += [rating(f"p{i}", "zoe", -noise[i] + 1, repeat=1)]
    return [*rows, rating("p50", "ann", None)]
