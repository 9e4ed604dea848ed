"""The held-out split by scene: one rule for scorer, trigger and ratings, so that none leaks.

A scene is named by the content hash of its original photo; everything made from that photo
(degraded, restored, re-rated) belongs to the same scene and stays on the same side.
"""

from __future__ import annotations

import hashlib

import pandas as pd

from pipelines.data.provenance import origins_of

FOLDS = 5


def fold_of(scene: str) -> int:
    """The fold 0..4 of a scene, from its name alone: the same on every machine and run."""
    return int.from_bytes(hashlib.sha256(f"fold:{scene}".encode()).digest()[:4], "big") % FOLDS


def is_held_out(scene: str, fold: int = 0) -> bool:
    """True for a fifth of all scenes; fold 0 is the one that no packaged model has seen.

    Example:
        >>> is_held_out("scene 1"), is_held_out("scene 2")
        (True, False)
    """
    return fold_of(scene) == fold


def unseen(rated: pd.DataFrame) -> pd.Series[bool]:
    """Rated photos that no training of ours has seen.

    Fine-tuning splits by the scenes that ratings name, the training before it by the originals in
    degradations.csv; both must be held out. They differ only where ratings name scenes of their
    own.

    Args:
        rated: columns photo (SHA-256), path and scene.
    """
    return rated["scene"].map(is_held_out) & origins_of(rated)["scene"].map(is_held_out)
