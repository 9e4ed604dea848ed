"""trigger: would this photo look clearly better after enhancement?

>>> from trigger import should_enhance
>>> should_enhance("IMG_0042.jpg")  # doctest: +SKIP
True

The first name that is used loads NumPy and Pillow; the TFLite runtime follows with the first photo.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trigger.assessment import Assessment, RejectedPhoto, Trigger, should_enhance
    from trigger.errors import (
        DataError,
        MissingExtra,
        ModelError,
        OptionError,
        PhotoError,
        TriggerError,
    )
    from trigger.model import Model, load_model
    from trigger.photo import Photo, PhotoSource, read_photo

__all__ = [
    "Assessment",
    "DataError",
    "MissingExtra",
    "Model",
    "ModelError",
    "OptionError",
    "Photo",
    "PhotoError",
    "PhotoSource",
    "RejectedPhoto",
    "Trigger",
    "TriggerError",
    "load_model",
    "read_photo",
    "should_enhance",
]

_MODULES = {
    "trigger.assessment": ("Assessment", "RejectedPhoto", "Trigger", "should_enhance"),
    "trigger.errors": (
        "DataError",
        "MissingExtra",
        "ModelError",
        "OptionError",
        "PhotoError",
        "TriggerError",
    ),
    "trigger.model": ("Model", "load_model"),
    "trigger.photo": ("Photo", "PhotoSource", "read_photo"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            value = globals()[name] = getattr(importlib.import_module(module), name)
            return value
    raise AttributeError(f"module 'trigger' has no attribute {name!r}")
