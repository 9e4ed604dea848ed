"""Trunk features of photos, cached by content hash."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from pipelines.data.disk_array import write_npz
from pipelines.data.preprocessed import preprocess_photos
from pipelines.training.networks import predict_in_slices
from trigger.preprocessing import STANDARD

Values = npt.NDArray[np.float64]


def trunk_features(
    trunk: keras.Model,
    paths: Sequence[str],
    hashes: Sequence[str],
    cache: Path,
    *,
    show_progress: bool = False,
) -> tuple[Values, dict[str, str]]:
    """Compute trunk features of photos, or take them from the cache.

    Args:
        trunk: what ``cut_trunk`` returns.
        paths: photo files.
        hashes: content hash of each.
        cache: ``.npz`` file to create or extend. It belongs to one trunk and one preprocessing;
            features of others in it are dropped.
        show_progress: draw a progress bar on stderr if that is a terminal.

    Returns:
        Features (n, 112) float64, and the reasons by path of unreadable photos, whose features
        are zero.
    """
    rejected: dict[str, str] = {}
    identity = _identity(trunk)
    known = _load(cache, identity)
    missing = {
        digest: path for digest, path in zip(hashes, paths, strict=True) if digest not in known
    }
    if missing:
        new = list(missing.values())
        scratch = cache.with_suffix(".npy")
        try:
            photos, unreadable = preprocess_photos(
                new, list(missing), scratch, "preprocessing", show_progress=show_progress
            )
            found = predict_in_slices(trunk, photos)
        finally:
            scratch.unlink(missing_ok=True)
        rejected = {new[row]: why for row, why in unreadable.items()}
        known |= {
            digest: features
            for row, (digest, features) in enumerate(zip(missing, found, strict=True))
            if row not in unreadable
        }
        _save(cache, identity, known)
    nothing = np.zeros(trunk.output_shape[-1], np.float32)
    features = np.array([known.get(digest, nothing) for digest in hashes], np.float64)
    return features, rejected


def _identity(trunk: keras.Model) -> str:
    """Fingerprint of the weights and the preprocessing, on which features depend."""
    digest = hashlib.sha256(STANDARD.version.encode())
    for weight in trunk.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


def _load(cache: Path, identity: str) -> dict[str, npt.NDArray[np.float32]]:
    try:
        with np.load(cache) as stored:
            if str(stored["trunk"]) != identity:
                return {}
            return dict(zip(stored["photos"].tolist(), stored["features"], strict=True))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}  # missing or damaged: compute all features again


def _save(cache: Path, identity: str, known: dict[str, npt.NDArray[np.float32]]) -> None:
    write_npz(
        cache,
        trunk=np.array(identity),
        photos=np.array(list(known)),
        features=np.array(list(known.values()), np.float32),
    )
