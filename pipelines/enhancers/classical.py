"""The classical blind enhancer: estimate what is wrong, repair that, leave the rest alone.

Three steps, each skipped where its estimator finds nothing to repair:

1. *Deblocking*: sliding 8x8 DCT shrinkage whose strength follows the measured blockiness.
2. *Denoising*, unless that has smoothed already: the same shrinkage at 2.7 times the estimated
   noise deviation (Yu & Sapiro, "DCT image denoising", IPOL 2011, doi:10.5201/ipol.2011.ys-dct).
3. *Deblurring*: Polyblur (Delbracio et al., "Polyblur: Removing Mild Blur by Polynomial
   Reblurring", IEEE TCI 2021, doi:10.1109/TCI.2021.3100998).

What is wrong is estimated once for the whole photo; the repairs work in windows, so that a photo of
12 megapixels takes less than 0.8 GB. No weights, deterministic, any photo size.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from scipy.fft import dct

from pipelines.enhancers.tiling import Tiling, tiled
from pipelines.pixels import FloatPhoto

BLOCK = 8
STRIDE = 2  # the knee of quality against time
NOISE_FLOOR = 3.5 / 255
BLOCKINESS_FLOOR = 1.2
# Pixels of Gaussian blur below which nothing is sharpened; higher after another repair, whose
# own smoothing looks like blur.
BLUR_FLOOR = 0.5
BLUR_FLOOR_REPAIRED = 0.9
BLUR_CEILING = 4.0
SHRINKAGE = 2.7
# Blockiness and the threshold for it, in 1/255. Chosen on BSDS500 photographs at JPEG quality 60,
# 30, 20, 15, 12 and 8: the strength that raises the NIMA score most. PSNR asks for about twice as
# much at high quality, but there the lost texture is seen more than the removed blocks.
DEBLOCKING = ([1.2, 1.55, 1.8, 2.0, 2.25, 2.9], [8, 12, 16, 22, 36, 60])
# Orthonormal opponent colours: an orthonormal transform keeps white noise white.
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


class ClassicalEnhancer:
    """Blind deblocking, denoising and mild deblurring without any weights."""

    name = "classical"
    version = "1"
    tile_multiple = 1

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """(H, W, 3) float32 RGB in [0, 1] to the same."""
        repaired = deblock(photo)
        if repaired is photo:
            repaired = denoise(photo)
        return deblur(repaired, BLUR_FLOOR if repaired is photo else BLUR_FLOOR_REPAIRED)


class Deblocking:
    """The first step of the classical chain alone: JPEG blocks."""

    name = "deblock"
    version = "1"
    tile_multiple = 1

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """(H, W, 3) float32 RGB in [0, 1] to the same."""
        return deblock(photo)


class Denoising:
    """The second step of the classical chain alone: noise."""

    name = "denoise"
    version = "1"
    tile_multiple = 1

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """(H, W, 3) float32 RGB in [0, 1] to the same."""
        return denoise(photo)


def deblock(photo: FloatPhoto) -> FloatPhoto:
    """Remove JPEG blocks; the same object where there are none."""
    threshold = deblocking_threshold(photo)
    return shrink(photo, threshold) if threshold else photo


def deblocking_threshold(photo: FloatPhoto) -> float:
    """Below which DCT coefficients count as JPEG's doing; 0 where there are no blocks."""
    blocked = blockiness(photo) if is_large_enough(photo) else 0
    if blocked <= BLOCKINESS_FLOOR:
        return 0.0
    return float(np.interp(blocked, *DEBLOCKING)) / 255


def denoise(photo: FloatPhoto) -> FloatPhoto:
    """Remove white noise; the same object where there is none."""
    noise = noise_deviation(photo) if is_large_enough(photo) else 0
    return shrink(photo, SHRINKAGE * noise) if noise > NOISE_FLOOR else photo


def deblur(photo: FloatPhoto, floor: float) -> FloatPhoto:
    """Undo mild blur; the same object where the estimate stays below ``floor`` pixels."""
    return polyblur(photo, floor) if is_large_enough(photo) else photo


def is_large_enough(photo: FloatPhoto) -> bool:
    """Whether the estimators have something to go by."""
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
    """How much stronger gradients are on one of the eight grid phases; 1 means no grid."""
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
    # It reaches a block's width, and windows on the grid of its blocks see the same blocks.
    tiling = Tiling(TILE, margin=BLOCK, blend=0, align=BLOCK)
    return tiled(lambda window: _shrink_window(window, threshold), photo, tiling)


def _shrink_window(photo: FloatPhoto, threshold: float) -> FloatPhoto:
    height, width = photo.shape[:2]
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
            # (rows, columns, 3, 8, 8) blocks
            blocks = padded[window].reshape(rows, BLOCK, columns, BLOCK, 3).transpose(0, 2, 4, 1, 3)
            spectrum = DCT @ blocks @ DCT.T
            mean = spectrum[..., 0, 0].copy()
            spectrum[np.abs(spectrum) < threshold] = 0
            spectrum[..., 0, 0] = mean
            restored = DCT.T @ spectrum @ DCT
            total[window] += restored.transpose(0, 3, 1, 4, 2).reshape(
                rows * BLOCK, columns * BLOCK, 3
            )
            weight[window] += 1
    inside = (slice(BLOCK, BLOCK + height), slice(BLOCK, BLOCK + width))
    mean_photo = total[inside] / weight[inside][..., None]
    return np.clip(mean_photo @ OPPONENT, 0, 1).astype(np.float32)


def polyblur(photo: FloatPhoto, floor: float, alpha: float = 6, beta: float = 1) -> FloatPhoto:
    """Undo mild blur by a polynomial in the estimated Gaussian blur, then suppress halos.

    Args:
        photo: (H, W, 3) float32 in [0, 1].
        floor: estimated blur, in pixels, below which the photo is returned as it is.
        alpha: boost of middle frequencies (the paper's alpha).
        beta: gain left at frequencies that the blur removed (the paper's beta).
    """
    across, along, direction = estimate_blur(photo)
    if max(across, along) < floor:
        return photo
    kernel = gaussian_kernel(across, along, direction)

    # Equation 16 of the paper, evaluated by Horner's rule.
    a3, a2, a1, a0 = alpha / 2 - beta + 2, 3 * beta - alpha - 6, 5 - 3 * beta + alpha / 2, beta

    def blur(image: FloatPhoto) -> FloatPhoto:
        return cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101)

    def sharpen(window: FloatPhoto) -> FloatPhoto:
        sharp = a3 * blur(window) + a2 * window
        sharp = blur(sharp) + a1 * window
        sharp = blur(sharp) + a0 * window
        return np.clip(without_halos(window, sharp), 0, 1)

    reach = 3 * (len(kernel) // 2) + 1  # three blurs and a gradient
    return tiled(sharpen, photo, Tiling(TILE, margin=reach, blend=0))


def estimate_blur(photo: FloatPhoto) -> tuple[float, float, float]:
    """Gaussian blur as (sigma of the widest direction, sigma across it, direction).

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
    """Direction and sigma of the widest blur, looked for every 5 degrees around ``direction``."""
    angles = direction + np.deg2rad(np.arange(-25, 30, 5))
    sigma = [_blur_behind(slope) for slope in _steepest(photo, angles)]
    widest = int(np.argmax(sigma))
    return float(angles[widest]), min(sigma[widest], BLUR_CEILING)


def _steepest(photo: FloatPhoto, angles: npt.NDArray[np.float64]) -> list[float]:
    """For each direction, the steepest slope of luminance, per pixel."""
    luma = photo.mean(axis=2)
    low, high = np.quantile(luma, [1e-3, 1 - 1e-3])
    luma = np.clip((luma - low) / max(float(high - low), 1e-3), 0, 1)
    dy, dx = np.gradient(luma)
    del luma  # of a large photo, memory is short here
    steepest = []
    for angle in angles:
        slope = dx * np.cos(angle)
        slope += dy * np.sin(angle)
        np.abs(slope, out=slope)
        steepest.append(float(np.quantile(slope, STEEP_QUANTILE, overwrite_input=True)))
    return steepest


def _blur_behind(slope: float) -> float:
    """Sigma of the blur that leaves this slope as the steepest."""
    return float(np.sqrt(max((EDGE / max(slope, 1e-6)) ** 2 - EDGE_SIGMA**2, 0)))


STEEP_QUANTILE = 1 - 1e-4
EDGE = 0.275
EDGE_SIGMA = 0.583


def gaussian_kernel(along: float, across: float, direction: float) -> FloatPhoto:
    """Anisotropic Gaussian, odd-sized, summing to 1; sigmas in pixels, direction in radians."""
    along, across = max(along, 0.3), max(across, 0.3)
    radius = int(np.ceil(3 * max(along, across)))
    axis = np.arange(-radius, radius + 1)
    x, y = np.meshgrid(axis, axis)
    u = x * np.cos(direction) + y * np.sin(direction)
    v = -x * np.sin(direction) + y * np.cos(direction)
    kernel = np.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2))
    return (kernel / kernel.sum()).astype(np.float32)


def without_halos(photo: FloatPhoto, sharp: FloatPhoto) -> FloatPhoto:
    """Mix the photo back in where sharpening turned its gradient around (section 4.3)."""
    gradient = [np.gradient(photo, axis=axis) for axis in (0, 1)]
    turned = [np.gradient(sharp, axis=axis) for axis in (0, 1)]
    against = np.maximum(-sum(g * t for g, t in zip(gradient, turned, strict=True)), 0)
    strength = sum(g * g for g in gradient)
    mix = against / (strength + against + 1e-8)
    return mix * photo + (1 - mix) * sharp
