"""Rebuild a packaged model from photos: train it, compare it, package it."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

PackagedName = Literal["models", "deblocker", "restorer", "colorize", "alexnet-rank"]

DATA_LAYOUT = """\
clean/       flawless photographs, in any subfolders
unlabeled/   ordinary photographs as taken
rated/live_challenge/   photos and mos.csv (image, mos_0_100, std)
rated/tid2013/          kodakNN.png and mos.csv (kodak, type, level, mos_0_9)
weights/mobilenet_v2_1.0_notop_dequant.weights.h5   ImageNet weights of MobileNetV2, alpha 1.0
"""
"""Folders that DATA must hold."""

_MODULES: dict[PackagedName, str] = {
    "models": "pipelines.packaging.models",
    "deblocker": "pipelines.packaging.deblocker",
    "restorer": "pipelines.packaging.restorer",
    "colorize": "pipelines.packaging.colorize",
    "alexnet-rank": "pipelines.packaging.alexnet_rank",
}


def rebuild(
    name: PackagedName,
    data: str | PathLike[str],
    out: str | PathLike[str],
    *,
    show_progress: bool = False,
) -> Sequence[Path]:
    """Train, compare and package a model that comes with the project.

    Steps whose result exists in ``out`` are not repeated, so that an interrupted rebuild resumes.
    Training of the trigger starts from the packaged trunk, which the new one then replaces, so a
    second rebuild gives other weights.

    Args:
        name: ``models`` for the trigger and its scorer, or the name of an enhancer or scorer.
        data: folder laid out as in ``DATA_LAYOUT``.
        out: folder for everything that is made; made if it does not exist.
        show_progress: draw progress bars on stderr if that is a terminal.

    Returns:
        The files that were packaged.

    Raises:
        TriggerError: photos are missing, ``out`` was made from other data, a step failed, or a
            network does not beat the one that it would replace.

    Example:
        >>> from pipelines.packaging.rebuild import rebuild
        >>> rebuild("deblocker", "data", "build")  # doctest: +SKIP
        [PosixPath('pipelines/enhancers/learned/models/deblocker.tflite')]
    """
    module = importlib.import_module(_MODULES[name])
    packaged: list[Path] = module.rebuild(Path(data), Path(out), show_progress=show_progress)
    return packaged
