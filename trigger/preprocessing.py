"""The one preprocessing: what every model of this project sees of a photo.

It is named and versioned, because the choice of resize moves scores more than float16 weights do.

* Version 1 took colors as stored, ignoring the photo's ICC profile.
* Version 2 takes sRGB: ``read_photo`` converts photos with other profiles. Photos without a profile
  or with that of sRGB, nearly all that models were trained on, give the same input in both.

So models made for version 1 are valid and are used with version 2 inputs. Labels and ratings made
with version 1 differ from those of version 2 only for photos with another profile, such as Display
P3 (by 0.08 on average on the scale of ratings): where many photos have one, do not mix the two
versions in a training set; label again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from trigger.errors import OptionError


@dataclass(frozen=True)
class Preprocessing:
    """Squeeze a photo into a square, with Pillow's antialiased bilinear filter.

    Example:
        >>> STANDARD.apply(np.zeros((300, 400, 3), np.uint8)).shape
        (448, 448, 3)

    Attributes:
        size: side of the square, in pixels.
    """

    size: int = 448

    def __post_init__(self) -> None:
        if self.size < 1:
            raise OptionError(f"size is {self.size}; it must be 1 or more pixels")

    @property
    def version(self) -> str:
        """The name stored with every model and label.

        Equal names mean the same operation, ``read_photo``'s part included: upright, sRGB.
        """
        return f"{self._name}-v2"

    def accepts(self, version: str) -> bool:
        """Whether a model made for a version of the preprocessing may be given this one's output.

        Example:
            >>> STANDARD.accepts("upright-bilinear-448-v1"), STANDARD.accepts("other")
            (True, False)
        """
        return version in self.accepted_versions

    @property
    def accepted_versions(self) -> tuple[str, ...]:
        """Versions whose models this preprocessing serves, its own first."""
        return self.version, f"{self._name}-v1"

    @property
    def _name(self) -> str:
        return f"upright-bilinear-{self.size}"

    @property
    def at_least(self) -> int:
        """The shorter side a photo must keep when decoded for this (see ``read_photo``).

        Large JPEGs may so come at reduced size, which moves scores by 0.01 on average, of noisy
        photos by 0.02; 0.09 was the most that was seen.
        """
        return 2 * self.size

    def apply(self, photo: npt.NDArray[np.uint8] | Image.Image) -> npt.NDArray[np.uint8]:
        """Resize an upright sRGB photo to (size, size, 3) uint8.

        Args:
            photo: (H, W, 3) uint8 with H and W >= 1, or the same as a Pillow image (which
                saves a copy).
        """
        image = photo if isinstance(photo, Image.Image) else Image.fromarray(photo)
        return np.asarray(image.resize((self.size, self.size), Image.Resampling.BILINEAR))


STANDARD = Preprocessing()
"""The preprocessing of the packaged model."""
