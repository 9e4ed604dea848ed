"""trigger: would this photo look clearly better after enhancement?

>>> from trigger import should_enhance
>>> should_enhance("IMG_0042.jpg")  # doctest: +SKIP
True

Importing this loads NumPy and Pillow; the TFLite runtime follows with the first photo.
"""

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
