"""How much worse is a photo than its flawless original? A full-reference judge in human units.

Damage is measured by gradient and structure similarity at three scales (Xue et al., "Gradient
Magnitude Similarity Deviation", IEEE TIP 2014, doi:10.1109/TIP.2013.2293423; Wang et al.,
"Multiscale structural similarity", Asilomar 2003) and mapped to opinions by a support vector
regressor fitted on TID2013. It grades restored photos, for which no human score exists, so that
a scorer can learn that over-processing is no improvement.
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
GRADIENT_CONSTANT = 170.0  # T of the GMSD paper, for luma in 0..255
CHROMA_CONSTANT = 60.0


def _gradient(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    prewitt = np.array([1, 1, 1], np.float32) / 3
    slope = np.array([1, 0, -1], np.float32)
    x = cv2.sepFilter2D(plane, cv2.CV_32F, slope, prewitt)
    y = cv2.sepFilter2D(plane, cv2.CV_32F, prewitt, slope)
    return cv2.magnitude(x, y)


def _structure(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    """Mean contrast-structure term of SSIM with an 11-tap Gaussian window of sigma 1.5."""

    def blur(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return cv2.GaussianBlur(plane, (11, 11), 1.5)

    mean_a, mean_b = blur(a), blur(b)
    variance = blur(a * a) - mean_a**2 + blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    constant = (0.03 * 255) ** 2
    return float(np.mean((2 * covariance + constant) / (variance + constant)))


def damage(photo: Pixels, original: Pixels) -> npt.NDArray[np.float32]:
    """Damage features, all zero for identical photos and growing with damage.

    Args:
        photo: (H, W, 3) uint8.
        original: the same shape, flawless.

    Returns:
        (6 * SCALES,) float32: per scale the deviation and mean of gradient dissimilarity, lost
        and added gradient, structure dissimilarity and chroma gradient dissimilarity.
    """
    a = cv2.cvtColor(photo, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    b = cv2.cvtColor(original, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    features = []
    for scale in range(SCALES):
        if scale:
            half = (a.shape[1] // 2, a.shape[0] // 2)
            a = cv2.resize(a, half, interpolation=cv2.INTER_AREA)
            b = cv2.resize(b, half, interpolation=cv2.INTER_AREA)
        luma_a, luma_b = np.ascontiguousarray(a[..., 0]), np.ascontiguousarray(b[..., 0])
        slope_a, slope_b = _gradient(luma_a), _gradient(luma_b)
        constant = GRADIENT_CONSTANT
        similarity = (2 * slope_a * slope_b + constant) / (slope_a**2 + slope_b**2 + constant)
        difference = (slope_a - slope_b) / (slope_a + slope_b + 10)
        chroma = []
        for channel in (1, 2):
            ca, cb = (_gradient(np.ascontiguousarray(x[..., channel])) for x in (a, b))
            chroma.append(
                1 - np.mean((2 * ca * cb + CHROMA_CONSTANT) / (ca**2 + cb**2 + CHROMA_CONSTANT))
            )
        features += [
            float(similarity.std()),
            float(1 - similarity.mean()),
            float(np.maximum(-difference, 0).mean()),
            float(np.maximum(difference, 0).mean()),
            1 - _structure(luma_a, luma_b),
            float(np.mean(chroma)),
        ]
    # The square root spreads the small damages, where opinions change fastest.
    return np.sqrt(np.maximum(features, 0)).astype(np.float32)


class ReferenceJudge:
    """Predicts the mean opinion (1..10) of a photo whose flawless original is known."""

    def __init__(self) -> None:
        self._model: Pipeline = make_pipeline(StandardScaler(), SVR(C=10, gamma=0.02, epsilon=0.1))

    def fit(
        self, features: npt.NDArray[np.float32], scores: npt.NDArray[np.float32]
    ) -> ReferenceJudge:
        """Fit on (n, 18) damage features and n human scores (1..10)."""
        self._model.fit(features, scores)
        return self

    def score(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(n, 18) damage features to n scores in 1..10."""
        return np.clip(self._model.predict(np.atleast_2d(features)), 1, 10).astype(np.float32)
