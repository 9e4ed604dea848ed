"""The score model: from preprocessed photos to quality-improvability scores."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from importlib import resources

import numpy as np
import numpy.typing as npt

from trigger.errors import ModelError
from trigger.litert import TfliteFunction, read_model_bytes
from trigger.preprocessing import STANDARD

PACKAGED = "trigger"
"""The name of the model that comes with this package."""

PREPROCESSING_ENTRY = b"TRIGGER_PREPROCESSING"
"""The named buffer in which ``trigger export`` stores the version of the preprocessing."""

_OUTPUT = "quality_improvability"


class Model:
    """A loaded score model; safe to share between threads.

    Attributes:
        name: ``"trigger"`` and its version for the packaged model, the path of any other.
        sha256: of the file, in hexadecimal.
        preprocessing: what its images must have been through.
    """

    def __init__(self, data: bytes, name: str, *, sha256: str | None = None) -> None:
        """Load the content of a TFLite file; see ``load_model`` for the errors."""
        self.name = name
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.preprocessing = STANDARD
        if sha256 is not None and self.sha256 != sha256.lower():
            raise ModelError(
                f"{name}: sha256 is {self.sha256}, but {sha256} was expected. The file was "
                "altered, or it is another version: get it again, or expect its own sha256"
            )
        self._function = TfliteFunction(data, name=name)
        wanted = (1, STANDARD.size, STANDARD.size, 3)
        found = self._function
        if (found.output_name, found.output_size, found.input_shape) != (_OUTPUT, 1, wanted):
            raise ModelError(
                f"{name}: takes {list(found.input_shape)} and gives {found.output_size} value(s) "
                f"named {found.output_name!r}; a score model takes {list(wanted)} and gives 1 "
                f"value named {_OUTPUT!r}. Export it with: trigger export MODEL.keras"
            )
        # A flatbuffer holds a buffer as its length and its bytes; parsing it takes packages that
        # not every runtime brings.
        version = STANDARD.version.encode()
        stored = struct.pack("<I", len(version)) + version
        if PREPROCESSING_ENTRY in data and stored not in data:
            raise ModelError(
                f"{name}: was exported for another preprocessing than {STANDARD.version}, which "
                "this version has, and would give wrong scores. Export it anew with: "
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
        sha256: if given, the file must have this SHA-256. The packaged model is always checked.

    Raises:
        ModelError: the file is missing, altered, not a TFLite file, or of another signature;
            it is for another preprocessing, or no TFLite runtime is installed.
    """
    if model is not None and model != PACKAGED:
        return Model(read_model_bytes(model), os.fspath(model), sha256=sha256)
    folder = resources.files("trigger") / "models"
    try:
        card = json.loads((folder / f"{PACKAGED}.json").read_text("utf-8"))
        data = (folder / card["file"]).read_bytes()
        if card["preprocessing"] != STANDARD.version:
            raise ModelError(
                f"the packaged model needs preprocessing {card['preprocessing']}, but this "
                f"version has {STANDARD.version}. Reinstall with: "
                "pip install --force-reinstall . in the folder of this project"
            )
        name = f"{card['name']} {card['version']}"
        return Model(data, name, sha256=sha256 or card["sha256"])
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"the packaged model is incomplete ({type(error).__name__}: {error}). "
            "Reinstall with: pip install --force-reinstall . in the folder of this project"
        ) from error
