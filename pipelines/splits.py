"""Which scenes are held out. One rule for scorer, trigger and ratings, so that none leaks.

A scene is named by the content hash of its original photo; everything made from that photo
(degraded, restored, re-rated) belongs to the same scene and stays on the same side.
"""

from __future__ import annotations

import hashlib

FOLDS = 5


def fold_of(scene: str) -> int:
    """The fold 0..4 of a scene, from its name alone: the same on every machine and run."""
    return int.from_bytes(hashlib.sha256(f"fold:{scene}".encode()).digest()[:4], "big") % FOLDS


def is_held_out(scene: str, fold: int = 0) -> bool:
    """True for a fifth of all scenes; fold 0 is the one that no packaged model has seen."""
    return fold_of(scene) == fold
