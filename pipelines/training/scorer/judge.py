"""Full-reference quality model: the opinion on a photo whose flawless original is known.

Distortion is measured by gradient and structure similarity at three scales (Xue et al., "Gradient
Magnitude Similarity Deviation", IEEE TIP 2014, doi:10.1109/TIP.2013.2293423; Wang et al.,
"Multiscale structural similarity", Asilomar 2003) and mapped to opinions by a support vector
regressor fitted on TID2013. It scores degraded and restored photos that no person rated, so that
the scorer learns that over-processing is no improvement.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from pipelines.data.pixels import Pixels

SCALES = 3
GRADIENT_CONSTANT = 170.0
"""T of the GMSD paper, for luma in 0..255."""
CHROMA_CONSTANT = 60.0
SSIM_CONSTANT = (0.03 * 255) ** 2
"""C2 of the SSIM paper."""

Plane = npt.NDArray[np.float32]


def distortion_features(photo: Pixels, original: Pixels) -> npt.NDArray[np.float32]:
    """Compute distortion features: zero for identical photos, growing with distortion.

    Args:
        photo: (H, W, 3) uint8.
        original: the same shape, flawless.

    Returns:
        (6 * SCALES,) float32: per scale the standard deviation and the mean of gradient
        dissimilarity, lost gradient, added gradient, structure dissimilarity and chroma gradient
        dissimilarity.
    """
    a = cv2.cvtColor(photo, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    b = cv2.cvtColor(original, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    features: list[float] = []
    for scale in range(SCALES):
        if scale:
            half = (a.shape[1] // 2, a.shape[0] // 2)
            a = cv2.resize(a, half, interpolation=cv2.INTER_AREA)
            b = cv2.resize(b, half, interpolation=cv2.INTER_AREA)
        features += _features_of_scale(a, b)
    # The square root spreads weak distortions, where opinions change fastest.
    return np.sqrt(np.maximum(features, 0)).astype(np.float32)


def _features_of_scale(a: Plane, b: Plane) -> list[float]:
    """Six features of two YCrCb photos (H, W, 3)."""
    luma_a, luma_b = np.ascontiguousarray(a[..., 0]), np.ascontiguousarray(b[..., 0])
    # Gradient magnitude similarity: 1 where gradients are equal.
    slope_a, slope_b = _gradient(luma_a), _gradient(luma_b)
    similarity = _similarity(slope_a, slope_b, GRADIENT_CONSTANT)
    # Relative difference: negative where detail was lost, positive where noise or halos were added.
    difference = (slope_a - slope_b) / (slope_a + slope_b + 10)
    chroma = []
    for channel in (1, 2):
        plane_a, plane_b = (np.ascontiguousarray(x[..., channel]) for x in (a, b))
        alike = _similarity(_gradient(plane_a), _gradient(plane_b), CHROMA_CONSTANT)
        chroma.append(1 - np.mean(alike))
    return [
        float(similarity.std()),
        float(1 - similarity.mean()),
        float(np.maximum(-difference, 0).mean()),
        float(np.maximum(difference, 0).mean()),
        1 - _structure(luma_a, luma_b),
        float(np.mean(chroma)),
    ]


def _similarity(a: Plane, b: Plane, constant: float) -> Plane:
    similarity: Plane = (2 * a * b + constant) / (a**2 + b**2 + constant)
    return similarity


def _gradient(plane: Plane) -> Plane:
    """Magnitude of the gradient by the Prewitt operator."""
    prewitt = np.array([1, 1, 1], np.float32) / 3
    slope = np.array([1, 0, -1], np.float32)
    x = cv2.sepFilter2D(plane, cv2.CV_32F, slope, prewitt)
    y = cv2.sepFilter2D(plane, cv2.CV_32F, prewitt, slope)
    return cv2.magnitude(x, y)


def _structure(a: Plane, b: Plane) -> float:
    """Mean contrast-structure term of SSIM with an 11-tap Gaussian window of sigma 1.5."""

    def blur(plane: Plane) -> Plane:
        return cv2.GaussianBlur(plane, (11, 11), 1.5)

    mean_a, mean_b = blur(a), blur(b)
    variance = blur(a * a) - mean_a**2 + blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    return float(np.mean((2 * covariance + SSIM_CONSTANT) / (variance + SSIM_CONSTANT)))


class FullReferenceJudge:
    """Predict the mean opinion (1..10) on a photo from its distortion features.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> features = rng.random((50, 18)).astype(np.float32)
        >>> judge = FullReferenceJudge().fit(features, 10 - 9 * features.mean(axis=1))
        >>> judge.score(features).shape
        (50,)
    """

    def __init__(self) -> None:
        self._model: Pipeline = make_pipeline(StandardScaler(), SVR(C=10, gamma=0.02, epsilon=0.1))

    def fit(
        self, features: npt.NDArray[np.float32], scores: npt.NDArray[np.float32]
    ) -> FullReferenceJudge:
        """Fit on (n, 18) distortion features and (n,) human scores 1..10."""
        self._model.fit(features, scores)
        return self

    def score(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Predict (n,) scores 1..10 from (n, 18) distortion features."""
        return np.clip(self._model.predict(np.atleast_2d(features)), 1, 10).astype(np.float32)
