"""Estimate the blur of a photo, and build the kernel of that blur.

Source: Delbracio et al., "Polyblur: Removing Mild Blur by Polynomial Reblurring", IEEE TCI 2021,
doi:10.1109/TCI.2021.3100998, section 3.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipelines.data.pixels import FloatPhoto

BLUR_CEILING = 4.0
STEEP_QUANTILE = 1 - 1e-4
EDGE = 0.275
EDGE_SIGMA = 0.583


def estimate_blur(photo: FloatPhoto) -> tuple[float, float, float]:
    """Estimate Gaussian blur as (sigma of the widest direction, sigma across it, direction).

    The steepest edge of a sharp photo spans about one pixel; blur divides the largest
    directional derivative. Sigmas in pixels, direction in radians.
    """
    angles = np.arange(6) * np.pi / 6
    sigma = [_blur_behind(slope) for slope in _steepest(photo, angles)]
    widest = int(np.argmax(sigma))
    across = (widest + 3) % 6
    return (
        min(sigma[widest], BLUR_CEILING),
        min(sigma[across], BLUR_CEILING),
        float(angles[widest]),
    )


def refine_direction(photo: FloatPhoto, direction: float) -> tuple[float, float]:
    """Return direction and sigma of the widest blur, searched every 5 degrees around one."""
    angles = direction + np.deg2rad(np.arange(-25, 30, 5))
    sigma = [_blur_behind(slope) for slope in _steepest(photo, angles)]
    widest = int(np.argmax(sigma))
    return float(angles[widest]), min(sigma[widest], BLUR_CEILING)


def _steepest(photo: FloatPhoto, angles: npt.NDArray[np.float64]) -> list[float]:
    """Return the steepest slope of luminance, per pixel, in each direction."""
    luma = photo.mean(axis=2)
    low, high = np.quantile(luma, [1e-3, 1 - 1e-3])
    luma = np.clip((luma - low) / max(float(high - low), 1e-3), 0, 1)
    dy, dx = np.gradient(luma)
    del luma  # a large photo takes much memory here
    steepest = []
    for angle in angles:
        slope = dx * np.cos(angle)
        slope += dy * np.sin(angle)
        np.abs(slope, out=slope)
        steepest.append(float(np.quantile(slope, STEEP_QUANTILE, overwrite_input=True)))
    return steepest


def _blur_behind(slope: float) -> float:
    """Return the sigma of the blur that leaves this slope as the steepest."""
    return float(np.sqrt(max((EDGE / max(slope, 1e-6)) ** 2 - EDGE_SIGMA**2, 0)))


def gaussian_kernel(along: float, across: float, direction: float) -> FloatPhoto:
    """Return an odd-sized Gaussian that sums to 1; sigmas in pixels, direction in radians."""
    along, across = max(along, 0.3), max(across, 0.3)
    radius = int(np.ceil(3 * max(along, across)))
    axis = np.arange(-radius, radius + 1)
    x, y = np.meshgrid(axis, axis)
    u = x * np.cos(direction) + y * np.sin(direction)
    v = -x * np.sin(direction) + y * np.cos(direction)
    kernel = np.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2))
    return (kernel / kernel.sum()).astype(np.float32)
