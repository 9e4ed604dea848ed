"""Windows leave no trace: what is local comes out as if the photo had been whole."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.enhancers.tiling import Tiling, tiled, windows_watched
from trigger.errors import EnhancerError, OptionError

Photo = npt.NDArray[np.float32]
sides = st.integers(1, 150)


@given(
    sides,
    sides,
    st.integers(0, 6),
    st.integers(0, 9),
    st.sampled_from([1, 4, 8]),
    st.sampled_from([(1, 1), (8, 8), (64, 48)]),
)
def test_nothing_done_is_nothing_changed(
    height: int, width: int, margin: int, blend: int, align: int, pad_to: tuple[int, int]
) -> None:
    photo = np.random.default_rng(height).random((height, width, 3), np.float32)
    tiling = Tiling((64, 48), margin, blend, align, pad_to)

    def check(window: Photo) -> Photo:
        assert window.shape[0] <= 64
        assert window.shape[1] <= 48
        assert window.shape[0] % pad_to[0] == window.shape[1] % pad_to[1] == 0
        return window

    np.testing.assert_allclose(tiled(check, photo, tiling), photo, atol=1e-6)


@given(st.integers(40, 200), st.integers(40, 200))
def test_a_local_enhancer_gives_the_same_tiled_and_whole(height: int, width: int) -> None:
    photo = np.random.default_rng(width).random((height, width, 3), np.float32)

    def blur(window: Photo) -> Photo:
        return cv2.blur(window, (9, 9), borderType=cv2.BORDER_REFLECT_101)

    np.testing.assert_allclose(tiled(blur, photo, Tiling((48, 40), 4, 3)), blur(photo), atol=1e-6)


def test_larger_results_meet_as_well() -> None:
    photo = np.random.default_rng(0).random((50, 70, 3), np.float32)

    def double(window: Photo) -> Photo:
        return window.repeat(2, axis=0).repeat(2, axis=1)

    result = tiled(double, photo, Tiling((40, 40), 2, 4, pad_to=(8, 8)), scale=2)
    np.testing.assert_allclose(result, double(photo), atol=1e-6)


def test_windows_that_disagree_meet_without_a_step() -> None:
    """Each window comes out in a gray of its own, as from an enhancer that estimates blindly."""
    grays = iter(np.random.default_rng(0).permutation(np.linspace(0, 1, 100, dtype=np.float32)))
    result = tiled(
        lambda window: np.full_like(window, next(grays)),
        np.zeros((200, 300, 3), np.float32),
        Tiling((96, 96), margin=8, blend=16),
    )
    for axis in (0, 1):
        assert 0 < np.abs(np.diff(result, axis=axis)).max() <= 1 / 16 + 1e-6


def test_windows_start_on_the_grid() -> None:
    photo = np.zeros((333, 222, 3), np.float32)
    photo[::8] = 1
    photo[:, ::8] = 1

    def check(window: Photo) -> Photo:
        assert window[0].all()
        assert window[:, 0].all()
        return window

    tiled(check, photo, Tiling((64, 64), 3, 5, align=8))


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    photo = np.zeros((100, 100, 3), np.float32)
    with windows_watched(lambda done, total: told.append((done, total))):
        tiled(lambda window: window, photo, Tiling((60, 60), 2, 4))
    tiled(lambda window: window, photo, Tiling((60, 60), 2, 4))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_wrong_windows_are_errors() -> None:
    with pytest.raises(EnhancerError, match=r"must return \(9, 9, 3\)"):
        tiled(lambda window: window[1:], np.zeros((9, 9, 3), np.float32), Tiling((64, 64), 2, 4))
    for tile, align in (((64, 64), 1), ((40, 72), 8), ((66, 66), 8)):
        with pytest.raises(OptionError, match="must be"):
            Tiling(tile, 30 if align == 1 else 12, 4, align)
    photo = np.random.default_rng(0).random((99, 110, 3), np.float32)
    smallest = Tiling((48, 48), 12, 8, align=8)
    np.testing.assert_allclose(tiled(lambda window: window, photo, smallest), photo, atol=1e-6)
