"""The head of the trigger: its 113 parameters, fitted to ratings in closed form.

The trunk stays as it is, so a photo is its 112 features, and the best head has a closed form: the
baseline's own prediction, rescaled by least squares to the scale of the ratings, plus a
ridge-regularised correction (Hoerl & Kennard 1970, doi:10.1080/00401706.1970.10488634). No
optimiser, no learning rate, the same result every time.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
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


@dataclass(frozen=True)
class Head:
    """Weights (112,) and bias."""

    kernel: Values
    bias: float

    def scores(self, features: Values) -> Values:
        """Scores (n,) of features (n, 112)."""
        return features @ self.kernel + self.bias


@dataclass(frozen=True)
class RatedPhotos:
    """What a head learns from.

    Attributes:
        features: (n, 112) of the trunk.
        ratings: (n,) mean ratings, -1..2.
        weights: (n,) how far each rating can be trusted, above 0 to 1.
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
        """(n,) whether people see a moderate improvement or better."""
        return self.ratings >= IMPROVABLE


@dataclass(frozen=True)
class Tuning:
    """What cross-validation over scenes chose.

    Attributes:
        ridge: the strength with the least weighted squared error.
        scores: (n,) each photo's score by a head of that strength that was fitted without its
            fold of scenes; thresholds are chosen on these.
    """

    ridge: float
    scores: Values


@dataclass(frozen=True)
class CrossValidation:
    """How heads do on photos whose scenes they did not see.

    Attributes:
        scores: (n,) scores.
        alerts: (n,) whether each reaches the threshold of its fold.
        thresholds: of each fold; infinite where none reached the target.
    """

    scores: Values
    alerts: npt.NDArray[np.bool_]
    thresholds: list[float]


def freeze_trunk(model: keras.Model) -> int:
    """Make only the head trainable and return its number of parameters, always 113.

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
    """The head of a trigger network."""
    weights = model.get_layer(IMPROVABILITY).get_weights()
    kernel, bias = (np.asarray(weight, np.float64) for weight in weights)
    return Head(kernel[:, 0], float(bias[0]))


def write_head(model: keras.Model, head: Head) -> None:
    """Give a network another head."""
    weights = [head.kernel[:, None].astype(np.float32), np.array([head.bias], np.float32)]
    model.get_layer(IMPROVABILITY).set_weights(weights)


def fit_head(rated: RatedPhotos, baseline: Head, ridge: float) -> Head:
    """The head that fits ratings best while staying near the rescaled baseline.

    With w the weights, minimises sum w (rating - a baseline - b)^2 over a >= 0 and b, and then
    sum w (rating - features @ k - c)^2 + ridge |k - a kernel|^2 over k and c.
    """
    return _fit_heads(rated, baseline, np.array([ridge]))[0]


def _fit_heads(rated: RatedPhotos, baseline: Head, ridges: Values) -> list[Head]:
    """One head per ridge. One eigendecomposition serves all."""
    weights = rated.weights / rated.weights.sum()
    center = weights @ rated.features
    features = rated.features - center
    ratings = rated.ratings - weights @ rated.ratings
    start = features @ baseline.kernel
    # A baseline that ranks backwards must not be trusted with a negative slope.
    slope = max(float((weights * start) @ ratings / max((weights * start) @ start, 1e-12)), 0.0)
    gram = features.T @ (features * rated.weights[:, None])
    moments = features.T @ (rated.weights * (ratings - slope * start))
    values, vectors = np.linalg.eigh(gram)
    turned = vectors.T @ moments
    heads = []
    for ridge in ridges:
        kernel = slope * baseline.kernel + vectors @ (turned / (np.maximum(values, 0) + ridge))
        heads.append(Head(kernel, float(weights @ rated.ratings - center @ kernel)))
    return heads


def tune(rated: RatedPhotos, baseline: Head) -> Tuning:
    """Choose the ridge over up to five folds of scenes."""
    scenes = len(set(rated.scenes))
    if scenes < 2:  # one scene cannot tell what carries over: trust the baseline
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
    """The head of the ridge that ``tune`` chooses, fitted to all."""
    return fit_head(rated, baseline, tune(rated, baseline).ridge)


def cross_validate(rated: RatedPhotos, baseline: Head, target: Target | None) -> CrossValidation:
    """Nested: in each of five folds of scenes, ridge and threshold are chosen by the other four.

    Args:
        rated: scenes of at least two folds.
        baseline: the head to start from.
        target: what thresholds must reach; None: they are all 0.4.
    """
    folds = np.array([fold_of(scene) for scene in rated.scenes])
    scores = np.empty(len(rated))
    alerts = np.zeros(len(rated), bool)
    thresholds = []
    for fold in sorted(set(folds)):
        train, test = rated[folds != fold], folds == fold
        tuning = tune(train, baseline)
        threshold: float | None = DEFAULT_THRESHOLD
        if target:
            threshold = find_threshold(train.improvable, tuning.scores, target)
        thresholds.append(np.inf if threshold is None else threshold)
        head = fit_head(train, baseline, tuning.ridge)
        scores[test] = head.scores(rated.features[test])
        alerts[test] = scores[test] >= thresholds[-1]
    return CrossValidation(scores, alerts, thresholds)
