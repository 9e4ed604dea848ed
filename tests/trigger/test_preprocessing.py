from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from trigger.errors import OptionError
from trigger.preprocessing import STANDARD, Preprocessing


@settings(max_examples=40)
@given(height=st.integers(1, 1500), width=st.integers(1, 1500), value=st.integers(0, 255))
def test_any_photo_becomes_the_square(height: int, width: int, value: int) -> None:
    image = STANDARD.apply(np.full((height, width, 3), value, np.uint8))
    assert image.shape == (448, 448, 3)
    assert image.dtype == np.uint8
    assert (image == value).all()


def test_it_is_pillows_antialiased_bilinear(coffee: np.ndarray) -> None:
    expected = Image.fromarray(coffee).resize((448, 448), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(STANDARD.apply(coffee), np.asarray(expected))
    stripes = np.tile(np.array([[[0] * 3], [[255] * 3]], np.uint8), (1000, 2000, 1))
    assert np.abs(STANDARD.apply(stripes).astype(int) - 127).max() <= 16  # grey, no moiré


def test_a_photo_of_the_right_size_is_left_alone(photographs: dict[str, np.ndarray]) -> None:
    square = photographs["astronaut"][:448, :448]
    np.testing.assert_array_equal(STANDARD.apply(square), square)


def test_the_version_names_what_decides_the_pixels() -> None:
    assert STANDARD.version == "upright-bilinear-448-v2"
    assert Preprocessing(224).version == "upright-bilinear-224-v2"


def test_nonsense_is_refused() -> None:
    with pytest.raises(OptionError, match="size is 0"):
        Preprocessing(0)
