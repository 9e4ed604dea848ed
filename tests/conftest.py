"""What tests share: photographs that come with scikit-image and scikit-learn, small models."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
from hypothesis import settings
from sklearn.datasets import load_sample_images

settings.register_profile("trigger", deadline=None)  # machines differ in speed, and so do runs
settings.load_profile("trigger")
# A shell that runs the tests in the background has them, and all that they start, ignore ^C.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def photographs() -> Mapping[str, npt.NDArray[np.uint8]]:
    """Eight color photographs by name, (H, W, 3) uint8, read-only."""
    names = ("astronaut", "chelsea", "coffee", "hubble_deep_field", "retina", "rocket")
    photos = {name: np.array(getattr(skimage.data, name)()) for name in names}
    china, flower = load_sample_images().images
    photos |= {"china": np.array(china), "flower": np.array(flower)}
    for photo in photos.values():
        photo.flags.writeable = False
    return MappingProxyType(photos)


@pytest.fixture(scope="session")
def coffee(photographs: Mapping[str, npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    return photographs["coffee"]


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labelling knows small models by name."""
    from label_helpers import use_models

    use_models(monkeypatch)


@pytest.fixture
def photos(photographs: Mapping[str, npt.NDArray[np.uint8]], tmp_path: Path) -> Path:
    """A folder with the photographs as files."""
    from label_helpers import write_photos

    return write_photos(tmp_path / "photos", photographs)
