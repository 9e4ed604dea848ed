"""A folder of photographs for the tests of the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def folder(photographs: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photographs, one in a subfolder."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "sub").mkdir()
    Image.fromarray(photographs["coffee"]).save(folder / "coffee.jpg")
    Image.fromarray(photographs["china"]).save(folder / "china\n.png")
    Image.fromarray(photographs["rocket"]).save(folder / "sub" / "rocket.webp")
    return folder


@pytest.fixture
def broken(folder: Path) -> Path:
    path = folder / "broken.jpg"
    path.write_text("Dear diary")
    return path
