"""``deblock`` and ``denoise``: sliding shrinkage in the discrete cosine transform (DCT).

Noise and blocks are estimated once for the whole photo; shrinkage works in windows, to save memory.
Source: Yu & Sapiro, "DCT image denoising", IPOL 2011, doi:10.5201/ipol.2011.ys-dct.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.fft import dct

from pipelines.data.pixels import FloatPhoto
from pipelines.enhancers.base import PhotoEnhancer
from pipelines.enhancers.tiling import Tiling, tiled

BLOCK = 8
STRIDE = 2  # of the sliding blocks, in pixels; a smaller one costs more than it gains
NOISE_FLOOR = 3.5 / 255
BLOCKINESS_FLOOR = 1.2
SHRINKAGE = 2.7
# Blockiness and the threshold for it, in 1/255. Chosen on BSDS500 photographs at JPEG quality 60,
# 30, 20, 15, 12 and 8: the strength that raises the NIMA score most. PSNR asks for about twice as
# much at high quality, but there the lost texture is seen more than the removed blocks.
DEBLOCKING = ([1.2, 1.55, 1.8, 2.0, 2.25, 2.9], [8, 12, 16, 22, 36, 60])
# Orthonormal opponent colors: an orthonormal transform keeps white noise white.
OPPONENT = np.array(
    [
        [1 / np.sqrt(3), 1 / np.sqrt(3), 1 / np.sqrt(3)],
        [1 / np.sqrt(2), 0, -1 / np.sqrt(2)],
        [1 / np.sqrt(6), -2 / np.sqrt(6), 1 / np.sqrt(6)],
    ],
    np.float32,
)
DCT = dct(np.eye(BLOCK), axis=0, norm="ortho").astype(np.float32)
TILE = (1024, 1024)  # windows keep memory small; they do not change what comes out


class Deblocking(PhotoEnhancer):
    """Removes JPEG blocks."""

    name = "deblock"
    version = "1"

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """Enhance a photo, (H, W, 3) float32 RGB in [0, 1]."""
        return deblock(photo)


class Denoising(PhotoEnhancer):
    """Removes white noise."""

    name = "denoise"
    version = "1"

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """Enhance a photo, (H, W, 3) float32 RGB in [0, 1]."""
        return denoise(photo)


def deblock(photo: FloatPhoto) -> FloatPhoto:
    """Remove JPEG blocks; the same object where there are none."""
    threshold = deblocking_threshold(photo)
    return shrink(photo, threshold) if threshold else photo


def deblocking_threshold(photo: FloatPhoto) -> float:
    """Return the size below which DCT coefficients are taken for JPEG's; 0 without blocks."""
    blocked = blockiness(photo) if is_large_enough(photo) else 0
    if blocked <= BLOCKINESS_FLOOR:
        return 0.0
    return float(np.interp(blocked, *DEBLOCKING)) / 255


def denoise(photo: FloatPhoto) -> FloatPhoto:
    """Remove white noise; the same object where there is none."""
    noise = noise_deviation(photo) if is_large_enough(photo) else 0
    return shrink(photo, SHRINKAGE * noise) if noise > NOISE_FLOOR else photo


def is_large_enough(photo: FloatPhoto) -> bool:
    """Whether the photo has enough pixels for the estimators."""
    return min(photo.shape[:2]) >= 2 * BLOCK


def noise_deviation(photo: FloatPhoto) -> float:
    """Standard deviation of white noise, in [0, 1] units (robust Immerkaer estimator).

    Mean over RGB of the median absolute response of the kernel [1,-2,1] x [1,-2,1], which
    cancels linear structure (Immerkaer, CVIU 1996, doi:10.1006/cviu.1996.0060).
    """
    line = np.array([1, -2, 1], np.float32)
    medians = []
    for channel in range(3):  # one at a time, to save memory
        plane = np.ascontiguousarray(photo[..., channel])
        response = cv2.sepFilter2D(plane, cv2.CV_32F, line, line)
        medians.append(np.median(np.abs(response, out=response), overwrite_input=True))
    # The kernel's norm is 6; 0.6745 turns a median absolute deviation into a sigma.
    return float(np.mean(medians) / (6 * 0.6745))


def blockiness(photo: FloatPhoto) -> float:
    """Return how much stronger gradients are on one of the eight grid phases; 1: no grid."""
    luma = photo.mean(axis=2)
    ratios = []
    for gradient in (np.abs(np.diff(luma, axis=0)).mean(1), np.abs(np.diff(luma, axis=1)).mean(0)):
        phases = np.array([gradient[phase::BLOCK].mean() for phase in range(BLOCK)])
        ratios.append(phases.max() / max(float(np.median(phases)), 1e-6))
    return float(np.mean(ratios))


def shrink(photo: FloatPhoto, threshold: float) -> FloatPhoto:
    """Sliding 8x8 DCT hard thresholding at stride 2, averaged over all positions.

    Args:
        photo: (H, W, 3) float32.
        threshold: coefficients below it (absolute, orthonormal DCT) are set to zero.
    """
    # Shrinkage reaches a block's width; windows that start on the grid see the same blocks.
    tiling = Tiling(TILE, margin=BLOCK, blend=0, align=BLOCK)
    return tiled(lambda window: _shrink_window(window, threshold), photo, tiling)


def _shrink_window(photo: FloatPhoto, threshold: float) -> FloatPhoto:
    height, width = photo.shape[:2]
    # A block of reflection on each side, so that every pixel is seen by as many blocks, and
    # decorrelated colors.
    pad = [(BLOCK, BLOCK + -height % BLOCK), (BLOCK, BLOCK + -width % BLOCK), (0, 0)]
    padded = np.pad(photo, pad, mode="symmetric") @ OPPONENT.T
    rows, columns = padded.shape[0] // BLOCK - 1, padded.shape[1] // BLOCK - 1
    total = np.zeros_like(padded)
    weight = np.zeros(padded.shape[:2], np.float32)
    for top in range(0, BLOCK, STRIDE):
        for left in range(0, BLOCK, STRIDE):
            window = (
                slice(top, top + rows * BLOCK),
                slice(left, left + columns * BLOCK),
            )
            # The photo, shifted by (top, left), as (rows, columns, 3, 8, 8) blocks.
            blocks = padded[window].reshape(rows, BLOCK, columns, BLOCK, 3).transpose(0, 2, 4, 1, 3)
            # Small coefficients are noise, except each block's mean.
            spectrum = DCT @ blocks @ DCT.T
            mean = spectrum[..., 0, 0].copy()
            spectrum[np.abs(spectrum) < threshold] = 0
            spectrum[..., 0, 0] = mean
            # Back to pixels, summed over all shifts.
            restored = DCT.T @ spectrum @ DCT
            total[window] += restored.transpose(0, 3, 1, 4, 2).reshape(
                rows * BLOCK, columns * BLOCK, 3
            )
            weight[window] += 1
    # The mean over shifts, without the reflection, back in RGB.
    inside = (slice(BLOCK, BLOCK + height), slice(BLOCK, BLOCK + width))
    mean_photo = total[inside] / weight[inside][..., None]
    return np.clip(mean_photo @ OPPONENT, 0, 1).astype(np.float32)
