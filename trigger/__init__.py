"""trigger: would this photo look clearly better after enhancement?

>>> from trigger import should_enhance
>>> should_enhance("IMG_0042.jpg")  # doctest: +SKIP
True

The first name that is used loads NumPy and Pillow; the TFLite runtime follows with the first photo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trigger.facade import lazy_exports

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

__getattr__ = lazy_exports(
    __name__,
    {
        "Assessment": "assessment",
        "DataError": "errors",
        "MissingExtra": "errors",
        "Model": "model",
        "ModelError": "errors",
        "OptionError": "errors",
        "Photo": "photo",
        "PhotoError": "errors",
        "PhotoSource": "photo",
        "RejectedPhoto": "assessment",
        "Trigger": "assessment",
        "TriggerError": "errors",
        "load_model": "model",
        "read_photo": "photo",
        "should_enhance": "assessment",
    },
)
