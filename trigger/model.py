"""Load score models, and score preprocessed photos with them."""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trigger.errors import ModelError
from trigger.interface import IMPROVABILITY, INPUT_SHAPE
from trigger.litert import TfliteFunction, read_model_bytes
from trigger.model_check import checked_model
from trigger.packaged import read_packaged
from trigger.preprocessing import STANDARD

PACKAGED = "trigger"
"""The name of the model that comes with this package."""

PREPROCESSING_ENTRY = b"TRIGGER_PREPROCESSING"
"""The named buffer in which ``trigger export`` stores the version of the preprocessing."""


class Model:
    """A loaded score model; safe to share between threads.

    Attributes:
        name: ``"trigger"`` and its version for the packaged model, the path of any other.
        sha256: of the file, in hexadecimal.
        preprocessing: what its images must have been through.
    """

    def __init__(self, data: bytes, name: str, *, intact: bool = False) -> None:
        """Load the content of a TFLite file; see ``load_model`` for the errors.

        Args:
            data: content of the file.
            name: what errors call it.
            intact: the file is known to be undamaged, so that it need not be checked.
        """
        self.name = name
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.preprocessing = STANDARD
        self._function = TfliteFunction(data if intact else checked_model(data, name), name=name)
        found = self._function
        interface = (found.output_name, found.output_size, found.input_shape)
        if interface != (IMPROVABILITY, 1, INPUT_SHAPE):
            raise ModelError(
                f"{name}: takes {list(found.input_shape)} and gives {found.output_size} value(s) "
                f"named {found.output_name!r}; a score model takes {list(INPUT_SHAPE)} and gives 1 "
                f"value named {IMPROVABILITY!r}. Export it with: trigger export MODEL.keras"
            )
        # A flatbuffer holds a buffer as its length and its bytes; parsing it takes packages that
        # not every runtime brings.
        known = (version.encode() for version in STANDARD.accepted_versions)
        stored = (struct.pack("<I", len(version)) + version for version in known)
        if PREPROCESSING_ENTRY in data and not any(buffer in data for buffer in stored):
            raise ModelError(
                f"{name}: was exported for another preprocessing than {STANDARD.version}, which "
                "this version has, and would give wrong scores. Export it again with: "
                "trigger export MODEL.keras"
            )

    def __repr__(self) -> str:
        return f"Model({self.name!r}, sha256={self.sha256[:12]!r})"

    def score(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Score preprocessed photos.

        Args:
            images: (N, 448, 448, 3) uint8 RGB, as ``STANDARD.apply`` makes them.

        Returns:
            (N,) float32: what enhancement would gain, on the scale of ratings: 0 neutral, 1
            moderate, 2 significant improvement, -1 regressed. Unbounded.
        """
        return self._function(images)[:, 0]


def load_model(model: str | os.PathLike[str] | None = None, *, sha256: str | None = None) -> Model:
    """Load the packaged score model (``None`` or ``"trigger"``), or a TFLite file by its path.

    Args:
        model: the packaged model's name, or the path of a file that ``trigger export`` wrote.
        sha256: if given, the file must have this SHA-256. The packaged model is always checked
            against that of its record; any other file is verified and tried in another process
            first, since a damaged one crashes the runtime (about a second, once per file).

    Raises:
        ModelError: the file is missing, altered, not a TFLite file, or of another signature;
            it is for another preprocessing, or no TFLite runtime is installed.

    Example:
        >>> from trigger import load_model
        >>> load_model().name
        'trigger 11'
    """
    if model is not None and model != PACKAGED:
        data, name = read_model_bytes(model), os.fspath(model)
        _check_hash(data, name, sha256)
        return Model(data, name)
    packaged = read_packaged(Path(__file__).parent / "models", PACKAGED)
    name = f"{packaged.name} {packaged.version}"
    _check_hash(packaged.data, name, sha256)
    preprocessing = packaged.facts["preprocessing"]
    if not STANDARD.accepts(preprocessing):
        raise ModelError(
            f"the packaged model needs preprocessing {preprocessing}, but this version "
            f"has {STANDARD.version}. Reinstall with: pip install --force-reinstall . in the "
            "folder of this project"
        )
    return Model(packaged.data, name, intact=True)


def _check_hash(data: bytes, name: str, expected: str | None) -> None:
    found = hashlib.sha256(data).hexdigest()
    if expected is not None and found != expected.lower():
        raise ModelError(
            f"{name}: sha256 is {found}, but {expected} was expected. The file was altered, or it "
            "is another version: get it again, or give its own sha256"
        )
