from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from trigger import OptionError, Trigger
from trigger.preprocessing import STANDARD
from trigger.views import VIEWS, show


@settings(max_examples=30)
@given(width=st.integers(1, 1500), height=st.integers(1, 1500))
def test_large_photos_are_shown_whole_and_in_tiles(width: int, height: int) -> None:
    shown, weights = show(Image.new("RGB", (width, height)), STANDARD, "tiles")
    assert (
        len(shown)
        == len(weights)
        == (5 if max(width, height) >= 672 and min(width, height) >= 448 else 1)
    )
    assert shown.shape[1:] == (448, 448, 3)
    assert weights.sum() == 1


def test_tiles_are_the_middles_of_the_quarters_as_they_are() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (896, 1792, 3), np.uint8)
    shown, weights = show(Image.fromarray(photo), STANDARD, "tiles")
    np.testing.assert_array_equal(shown[0], STANDARD.apply(photo))
    np.testing.assert_array_equal(shown[1], photo[:448, 224:672])
    np.testing.assert_array_equal(shown[4], photo[448:, 1120:1568])
    assert weights.tolist() == [0.5, 0.125, 0.125, 0.125, 0.125]


def test_tiles_are_cut_from_the_whole_jpeg(coffee: np.ndarray) -> None:
    content, tiles = io.BytesIO(), Trigger(views="tiles")
    large = Image.fromarray(coffee).resize((2700, 1800), Image.Resampling.BICUBIC)
    large.save(content, "JPEG")
    whole = np.asarray(Image.open(content))
    assert tiles.assess(content.getvalue()).score == tiles.assess(whole).score


def test_tiles_find_noise_that_a_reduced_photo_hides(photographs: dict[str, np.ndarray]) -> None:
    rows = [
        [photographs[name][:400, :600] for name in row]
        for row in (("china", "coffee", "flower"), ("flower", "china", "coffee"))
    ]
    wall = np.vstack([np.hstack(row) for row in [*rows, *rows]])  # sharp at 1600 x 1800
    noise = np.random.default_rng(0).normal(0, 10, wall.shape)
    noisy = np.clip(wall + noise, 0, 255).astype(np.uint8)
    seen = [Trigger(views=views) for views in VIEWS]
    whole, tiles = (trigger.assess(noisy).score - trigger.assess(wall).score for trigger in seen)
    assert tiles > whole + 0.1


def test_views_have_names() -> None:
    with pytest.raises(OptionError, match="whole, tiles"):
        Trigger(views="many")
