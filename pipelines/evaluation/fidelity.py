"""Fidelity of a photo to its original: PSNR, SSIM and PSNR-B."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from pipelines.data.pixels import Pixels

BLOCK = 8
CAPPED_PSNR = 60.0
"""The value for identical photos, so that means stay finite."""


def psnr(original: Pixels, photo: Pixels) -> float:
    """Return PSNR over RGB in dB, infinite for identical photos; (H, W, 3) uint8 of one size.

    Example:
        >>> black = np.zeros((8, 8, 3), np.uint8)
        >>> round(psnr(black, black + np.uint8(16)), 1)
        24.0
    """
    with np.errstate(divide="ignore"):
        return float(peak_signal_noise_ratio(original, photo))


def capped_psnr(original: Pixels, photo: Pixels) -> float:
    """Return PSNR over RGB in dB, at most ``CAPPED_PSNR``; (H, W, 3) uint8 of one size."""
    return min(psnr(original, photo), CAPPED_PSNR)


def similarity(original: Pixels, photo: Pixels) -> float:
    """Return the structural similarity of luminance; 1 means identical.

    With the weights of Wang et al., IEEE TIP 2004, doi:10.1109/TIP.2003.819861.

    Args:
        original, photo: (H, W, 3) uint8 of the same size.

    Example:
        >>> from skimage.data import coffee
        >>> similarity(coffee(), coffee())
        1.0
    """
    return float(
        structural_similarity(
            *(np.asarray(Image.fromarray(pixels).convert("L")) for pixels in (original, photo)),
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def windowed_similarity(original: Pixels, photo: Pixels) -> float:
    """Return SSIM with a uniform 8x8 window at every position, mean over the three channels.

    Wang et al., IEEE TIP 2004, doi:10.1109/TIP.2003.819861, with the constants given there.
    Own code because scikit-image takes odd windows only.

    Args:
        original, photo: (H, W, 3) uint8 of the same size, sides of 8 or more.

    Returns:
        -1..1; 1 means identical.
    """
    x, y = original.astype(np.float64), photo.astype(np.float64)

    def mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        inside = slice(BLOCK // 2, 1 - BLOCK // 2)
        return cv2.blur(values, (BLOCK, BLOCK))[inside, inside]

    mean_x, mean_y = mean(x), mean(y)
    variance_x, variance_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return float((luminance * structure).mean())


def psnr_b(original: Pixels, photo: Pixels) -> float:
    """Return PSNR that also counts blocking, in dB, mean over the three channels.

    Yim & Bovik, "Quality assessment of deblocked images", IEEE TIP 2011,
    doi:10.1109/TIP.2010.2061859: the blocking effect factor, by how much more the photo steps
    between 8x8 blocks than elsewhere, is added to the squared error.

    Args:
        original, photo: (H, W, 3) uint8 of the same size, not identical, sides above 8.
    """
    values = photo.astype(np.float64)
    error = np.square(original - values).mean(axis=(0, 1))
    height, width = photo.shape[:2]
    across = np.square(np.diff(values, axis=1))
    down = np.square(np.diff(values, axis=0))
    at_columns = np.arange(1, width) % BLOCK == 0
    at_rows = np.arange(1, height) % BLOCK == 0
    borders = height * at_columns.sum() + width * at_rows.sum()
    elsewhere = height * (~at_columns).sum() + width * (~at_rows).sum()
    on = across[:, at_columns].sum((0, 1)) + down[at_rows].sum((0, 1))
    off = across[:, ~at_columns].sum((0, 1)) + down[~at_rows].sum((0, 1))
    excess = on / borders - off / elsewhere
    weight = np.log2(BLOCK) / np.log2(min(height, width))
    blocking = np.where(excess > 0, weight * excess, 0)
    return float(np.mean(10 * np.log10(255**2 / (error + blocking))))
