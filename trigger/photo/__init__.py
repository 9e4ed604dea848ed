"""Find, read and decode photos.

Example:
    >>> from trigger.photo import read_photo
    >>> read_photo("IMG_0042.jpg").pixels.shape  # doctest: +SKIP
    (3024, 4032, 3)
"""

from trigger.photo.content import photo_hash, read_photo_bytes, read_same_photo
from trigger.photo.decoder import Photo, PhotoSource, Pixels, read_photo
from trigger.photo.limits import Limits
from trigger.photo.search import find_photos

__all__ = [
    "Limits",
    "Photo",
    "PhotoSource",
    "Pixels",
    "find_photos",
    "photo_hash",
    "read_photo",
    "read_photo_bytes",
    "read_same_photo",
]
