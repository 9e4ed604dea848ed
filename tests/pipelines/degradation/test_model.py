"""The degradation model does what its formula says, reproducibly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.data import astronaut

from pipelines.degradation.model import KINDS, Factors, degrade, kernel_of, random_factors
from trigger.errors import OptionError

PHOTO = astronaut()[:128, :160].astype(np.float32) / 255


def error(factors: Factors) -> float:
    """Root mean squared change of the photo."""
    changed = degrade(PHOTO, factors, np.random.default_rng(0)).astype(np.float32) / 255
    return float(np.sqrt(np.mean((changed - PHOTO) ** 2)))


def test_doing_nothing_changes_nothing() -> None:
    assert (degrade(PHOTO, Factors(), np.random.default_rng(0)) == np.rint(PHOTO * 255)).all()


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        (Factors("motion", 3, 40), Factors("motion", 11, 40)),
        (Factors("disk", 1), Factors("disk", 4)),
        (Factors("gaussian", 0.8), Factors("gaussian", 3)),
        (Factors(read_noise=0.02), Factors(read_noise=0.1)),
        (Factors(photon_noise=0.001), Factors(photon_noise=0.02)),
        (Factors(exposure=1.2, spill=0.3), Factors(exposure=2, spill=0.3)),
        (Factors(exposure=1.5, spill=0.0), Factors(exposure=1.5, spill=1)),
        (Factors(jpeg_quality=80), Factors(jpeg_quality=10)),
    ],
)
def test_stronger_factors_change_more(weaker: Factors, stronger: Factors) -> None:
    assert 0 < error(weaker) < error(stronger)


@given(st.sampled_from(KINDS), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_a_seed_gives_the_same_factors_and_pixels(kind: str, seed: int) -> None:
    def once() -> tuple[Factors, np.ndarray]:
        rng = np.random.default_rng(seed)
        factors = random_factors(kind, rng)  # type: ignore[arg-type]
        return factors, degrade(PHOTO[:40, :40], factors, rng)

    (factors, pixels), (again, same) = once(), once()
    assert factors == again == Factors(**factors.to_json())
    assert (pixels == same).all()
    assert pixels.shape == (40, 40, 3)
    assert pixels.dtype == np.uint8


@given(st.floats(0.5, 20), st.floats(0, 180))
@settings(max_examples=40, deadline=None)
def test_kernels_keep_brightness_and_center(size: float, angle: float) -> None:
    for name in ("motion", "disk", "gaussian"):
        kernel = kernel_of(Factors(name, size, angle))
        assert kernel.sum() == pytest.approx(1, abs=1e-4)
        axis = np.arange(len(kernel)) - len(kernel) // 2
        assert abs(float(kernel.sum(0) @ axis)) < 1e-3
        assert abs(float(kernel.sum(1) @ axis)) < 1e-3


def test_motion_at_45_degrees_is_up_and_to_the_right() -> None:
    kernel = kernel_of(Factors("motion", 15, 45))
    middle = len(kernel) // 2
    assert kernel[:middle, middle + 1 :].sum() > 0.4


def test_noise_is_barely_visible_to_strong() -> None:
    for seed in range(200):
        factors = random_factors("noise", np.random.default_rng(seed))
        deviation = np.sqrt(0.5 * factors.photon_noise + factors.read_noise**2)  # at mid-gray
        assert 4 <= 255 * deviation <= 45.001


def test_mixed_faults_are_two_or_three() -> None:
    counts = set()
    for seed in range(50):
        mixed = random_factors("mixed", np.random.default_rng(seed))
        blurred, bright, coded = mixed.kernel != "none", mixed.exposure > 1, mixed.jpeg_quality
        counts.add(sum([blurred, bright, mixed.read_noise > 0, coded is not None]))
    assert counts == {2, 3}


def test_poisson_noise_grows_with_the_signal() -> None:
    rng = np.random.default_rng(0)
    spread = [
        degrade(np.full((64, 64, 3), level, np.float32), Factors(photon_noise=0.004), rng).std()
        for level in (0.1, 0.5)
    ]
    assert spread[1] / spread[0] == pytest.approx(np.sqrt(5), rel=0.1)


@pytest.mark.parametrize(
    "bad",
    [
        {"kernel": "box", "blur": 3},
        {"kernel": "disk", "blur": -1},
        {"exposure": 0.5},
        {"spill": 2.0},
        {"read_noise": -0.1},
        {"jpeg_quality": 0},
    ],
)
def test_nonsense_factors_are_refused(bad: dict) -> None:
    with pytest.raises(OptionError):
        Factors(**bad)
