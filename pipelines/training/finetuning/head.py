"""Ridge regression for the trigger's head: 113 parameters, fitted to ratings in closed form.

The trunk is frozen, so each photo is represented by its 112 features. The head is the baseline's
prediction, rescaled to the scale of the ratings by least squares, plus a ridge-regularized
correction (Hoerl & Kennard 1970, doi:10.1080/00401706.1970.10488634).
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from pipelines.data.splits import fold_of
from pipelines.evaluation.thresholds import Target, find_threshold
from pipelines.ratings.table import IMPROVABLE
from pipelines.training.networks import HEAD_PARAMETERS
from trigger.assessment import DEFAULT_THRESHOLD
from trigger.errors import ModelError
from trigger.interface import IMPROVABILITY

Values = npt.NDArray[np.float64]
RIDGES = np.logspace(-1, 5, 13)
INNER_FOLDS = 5
EPSILON = 1e-12
"""Smallest variance that is divided by."""


@dataclass(frozen=True)
class Head:
    """The last layer of the trigger: kernel (112,) float64 and bias."""

    kernel: Values
    bias: float

    def scores(self, features: Values) -> Values:
        """Compute scores (n,) of features (n, 112)."""
        return features @ self.kernel + self.bias


@dataclass(frozen=True)
class RatedPhotos:
    """Rated photos as training data of a head.

    Attributes:
        features: (n, 112) float64 features of the trunk.
        ratings: (n,) mean ratings, -1..2.
        weights: (n,) sample weights, above 0 to 1.
        scenes: (n,) names of scenes.
    """

    features: Values
    ratings: Values
    weights: Values
    scenes: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.ratings)

    def __getitem__(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int_]) -> RatedPhotos:
        return RatedPhotos(
            self.features[rows], self.ratings[rows], self.weights[rows], self.scenes[rows]
        )

    @property
    def improvable(self) -> npt.NDArray[np.bool_]:
        """(n,) bool: the mean rating is a moderate improvement or better."""
        return self.ratings >= IMPROVABLE


@dataclass(frozen=True)
class Tuning:
    """Result of the cross-validation over scenes that selects the ridge.

    Attributes:
        ridge: regularization strength with the smallest weighted squared error.
        scores: (n,) out-of-fold scores: each photo's by the head that was fitted without its
            fold of scenes. Thresholds are chosen on these.
    """

    ridge: float
    scores: Values


@dataclass(frozen=True)
class CrossValidation:
    """Out-of-fold scores and alerts of nested cross-validation.

    Attributes:
        scores: (n,) out-of-fold scores.
        alerts: (n,) bool: the score reaches the threshold of its fold.
        thresholds: one per fold; infinite where none reached the target.
    """

    scores: Values
    alerts: npt.NDArray[np.bool_]
    thresholds: list[float]


def freeze_trunk(model: keras.Model) -> int:
    """Freeze all layers but the head; returns the number of trainable parameters, always 113.

    Raises:
        ModelError: the model is another network.
    """
    for layer in model.layers:
        layer.trainable = layer.name == IMPROVABILITY
    count = int(sum(np.prod(weight.shape) for weight in model.trainable_weights))
    if count != HEAD_PARAMETERS:
        raise ModelError(
            f"{model.name}: the head has {count} parameters, expected {HEAD_PARAMETERS}; "
            f"give a .keras file that 'trigger train' wrote"
        )
    return count


def read_head(model: keras.Model) -> Head:
    """Read the head of a trigger network."""
    weights = model.get_layer(IMPROVABILITY).get_weights()
    kernel, bias = (np.asarray(weight, np.float64) for weight in weights)
    return Head(kernel[:, 0], float(bias[0]))


def write_head(model: keras.Model, head: Head) -> None:
    """Replace the head of a trigger network."""
    weights = [head.kernel[:, None].astype(np.float32), np.array([head.bias], np.float32)]
    model.get_layer(IMPROVABILITY).set_weights(weights)


def fit_head(rated: RatedPhotos, baseline: Head, ridge: float) -> Head:
    """Fit a head to ratings that stays near the rescaled baseline.

    With weights w it minimises sum w (rating - a baseline - b)^2 over a >= 0 and b, and then
    sum w (rating - features @ k - c)^2 + ridge |k - a kernel|^2 over k and c.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> features = rng.normal(size=(200, 112))
        >>> ratings = features[:, 0] + 0.5
        >>> rated = RatedPhotos(features, ratings, np.ones(200), np.arange(200).astype(str))
        >>> head = fit_head(rated, Head(np.zeros(112), 0.0), ridge=1e-3)
        >>> round(float(head.kernel[0]), 2), round(head.bias, 2)
        (1.0, 0.5)
    """
    return _fit_heads(rated, baseline, np.array([ridge]))[0]


def _fit_heads(rated: RatedPhotos, baseline: Head, ridges: Values) -> list[Head]:
    """Fit one head per ridge; they share one decomposition."""
    # The distance to the rescaled baseline is penalized, so fit what it leaves unexplained.
    slope = _slope(rated, baseline)
    residuals = rated.ratings - slope * (rated.features @ baseline.kernel)
    # scikit-learn takes one ridge per target: give it the same target once for each.
    targets = np.tile(residuals[:, None], len(ridges))
    regression = Ridge(alpha=ridges, solver="cholesky")
    regression.fit(rated.features, targets, sample_weight=rated.weights)
    return [
        Head(slope * baseline.kernel + change, float(bias))
        for change, bias in zip(
            np.atleast_2d(regression.coef_), np.atleast_1d(regression.intercept_), strict=True
        )
    ]


def _slope(rated: RatedPhotos, baseline: Head) -> float:
    """Slope, at least 0, of the weighted regression of ratings on the baseline's scores."""
    weights = rated.weights / rated.weights.sum()
    scores = baseline.scores(rated.features)
    centered = scores - weights @ scores
    covariance = (weights * centered) @ (rated.ratings - weights @ rated.ratings)
    # A baseline that ranks backwards must not be trusted with a negative slope.
    return max(float(covariance / max((weights * centered) @ centered, EPSILON)), 0.0)


def select_ridge(rated: RatedPhotos, baseline: Head) -> Tuning:
    """Choose the ridge by cross-validation over up to five folds of scenes."""
    scenes = len(set(rated.scenes))
    if scenes < 2:  # nothing to validate on: stay with the baseline
        ridge = float(RIDGES[-1])
        return Tuning(ridge, fit_head(rated, baseline, ridge).scores(rated.features))
    scores = np.empty((len(RIDGES), len(rated)))
    folds = GroupKFold(min(INNER_FOLDS, scenes))
    for train, test in folds.split(rated.features, groups=rated.scenes):
        heads = _fit_heads(rated[train], baseline, RIDGES)
        scores[:, test] = [head.scores(rated.features[test]) for head in heads]
    errors = (scores - rated.ratings) ** 2 @ rated.weights
    best = int(errors.argmin())
    return Tuning(float(RIDGES[best]), scores[best])


def fit_best_head(rated: RatedPhotos, baseline: Head) -> Head:
    """Fit a head to all photos with the ridge that :func:`select_ridge` chooses."""
    return fit_head(rated, baseline, select_ridge(rated, baseline).ridge)


def cross_validate(rated: RatedPhotos, baseline: Head, target: Target | None) -> CrossValidation:
    """Nested cross-validation: for each of five folds, the other four choose ridge and threshold.

    Args:
        rated: photos whose scenes fall into at least two folds.
        baseline: the head to start from.
        target: what thresholds must reach; None: all use the default threshold.
    """
    folds = np.array([fold_of(scene) for scene in rated.scenes])
    scores = np.empty(len(rated))
    alerts = np.zeros(len(rated), bool)
    thresholds = []
    for fold in sorted(set(folds)):
        train, test = rated[folds != fold], folds == fold
        tuning = select_ridge(train, baseline)
        threshold: float | None = DEFAULT_THRESHOLD
        if target:
            threshold = find_threshold(train.improvable, tuning.scores, target)
        thresholds.append(np.inf if threshold is None else threshold)
        head = fit_head(train, baseline, tuning.ridge)
        scores[test] = head.scores(rated.features[test])
        alerts[test] = scores[test] >= thresholds[-1]
    return CrossValidation(scores, alerts, thresholds)
