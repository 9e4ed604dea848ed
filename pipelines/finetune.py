"""``trigger finetune``: fit the 113 head parameters to what people said.

The trunk stays as it is, so its 112 features per photo are computed once and the best head has a
closed form: the baseline's own prediction, rescaled by least squares to the scale of the ratings,
plus a ridge-regularised correction. The strength of the ridge is chosen by cross-validation over
training scenes. No optimiser, no learning rate, the same result every time.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import GroupKFold

from annotation.ratings import IMPROVABLE, mean_ratings, read_ratings
from pipelines import plots
from pipelines.metrics import agreement, at_threshold, compare_average_precision
from pipelines.networks import HEAD_PARAMETERS, TRIGGER_OUTPUT, cut_trunk, load_network
from pipelines.photo_store import preprocess_photos
from pipelines.splits import fold_of, is_held_out
from trigger.assessment import DEFAULT_THRESHOLD
from trigger.errors import DataError, ModelError
from trigger.files import write_atomically

Values = npt.NDArray[np.float64]
RIDGES = np.logspace(-1, 5, 13)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``trigger finetune``."""
    parser.description = (
        "Fit the head (113 parameters) of a trained network to human ratings: 2 significant "
        "improvement, 1 moderate, 0 neutral, -1 regressed. A fifth of the scenes is held out to "
        "compare baseline and fine-tuned; five-fold cross-validation compares them on all. Writes "
        "finetuned.keras, report.json, precision_recall.png and predictions.csv."
    )
    parser.epilog = (
        "example: trigger finetune baseline/baseline.keras ratings.csv --out finetuned\n"
        "The CSV needs columns path and rating; scene, rater and enhancer are optional."
    )
    parser.add_argument("model", type=Path, help=".keras file that 'trigger train' wrote")
    parser.add_argument("ratings", type=Path, help="ratings CSV")
    parser.add_argument("--out", type=Path, required=True, help="folder for model and report")


def run(args: argparse.Namespace) -> int:
    """Fine-tune and report."""
    rated = mean_ratings(read_ratings(args.ratings))
    model = load_network(args.model)
    count = freeze_trunk(model)
    print(f"trainable parameters: {count} of {model.count_params():,}")  # noqa: T201
    args.out.mkdir(parents=True, exist_ok=True)
    photos, rejected = preprocess_photos(
        list(rated["path"]), args.out / "photos.npy", "preprocessing"
    )
    if rejected:
        path, reason = next(iter(rejected.items()))
        raise DataError(
            f"{args.ratings}: {len(rejected)} rated photos cannot be read, first {path}: {reason}; "
            f"mend the files or remove their rows"
        )
    held_out = rated["scene"].map(is_held_out).to_numpy()
    ratings = rated["rating"].to_numpy(np.float64)
    scenes = rated["scene"].to_numpy(str)
    _check_split(args.ratings, ratings, held_out)
    features = cut_trunk(model).predict(photos, batch_size=32, verbose=0).astype(np.float64)
    (args.out / "photos.npy").unlink()

    head = model.get_layer(TRIGGER_OUTPUT)
    kernel, bias = (np.asarray(w, np.float64) for w in head.get_weights())
    baseline = features @ kernel[:, 0] + bias[0]
    train = ~held_out
    start = (kernel[:, 0], float(bias[0]))
    ridge = choose_ridge(features[train], ratings[train], *start, scenes[train])
    weights, offset = fit_head(features[train], ratings[train], *start, ridge)
    head.set_weights([weights[:, None].astype(np.float32), np.array([offset], np.float32)])
    model.save(args.out / "finetuned.keras")

    rated["held_out"] = held_out
    rated["baseline"] = baseline
    rated["fine-tuned"] = features @ weights + offset
    rated["cross-validated"] = cross_validate(features, ratings, *start, scenes)
    rated.to_csv(args.out / "predictions.csv", index=False)
    report = {"trainable_parameters": count, "ridge": ridge, **_report(rated)}
    write_atomically(args.out / "report.json", json.dumps(report, indent=2).encode())
    test = rated[rated["held_out"]]
    plots.precision_recall(
        args.out / "precision_recall.png",
        (test["rating"] >= IMPROVABLE).to_numpy(),
        {name: test[name].to_numpy() for name in ("baseline", "fine-tuned")},
        report["held_out"],
    )
    print(summary(report))  # noqa: T201
    return 0


def _report(rated: pd.DataFrame) -> dict[str, Any]:
    """Comparison of baseline and fine-tuned: on held-out scenes, on all by cross-validation.

    Both are given again for each rater alone, where there are several and one saw both sorts.
    """
    test = rated[rated["held_out"]]
    several = rated["rater"].nunique() > 1
    return {
        "photos": {"train": len(rated) - len(test), "held_out": len(test)},
        "held_out": _compare(test, "fine-tuned"),
        "cross_validated": _compare(rated, "cross-validated"),
        "by_rater": {
            str(rater): {
                "held_out": _compare(test[test["rater"] == rater], "fine-tuned"),
                "cross_validated": _compare(rows, "cross-validated"),
            }
            for rater, rows in rated.groupby("rater")
            if several
        },
        "rating_agreement_held_out": {
            name: agreement(test[name].to_numpy(), test["rating"].to_numpy())
            for name in ("baseline", "fine-tuned")
        },
        "at_threshold_held_out": at_threshold(
            (test["rating"] >= IMPROVABLE).to_numpy(),
            test["fine-tuned"].to_numpy(),
            DEFAULT_THRESHOLD,
        ),
    }


def _compare(rated: pd.DataFrame, column: str) -> dict[str, Any] | None:
    improvable = (rated["rating"] >= IMPROVABLE).to_numpy()
    if not 0 < improvable.sum() < len(improvable):
        return None  # average precision needs both sorts
    scores = {"baseline": rated["baseline"].to_numpy(), "fine-tuned": rated[column].to_numpy()}
    return compare_average_precision(improvable, scores, rated["scene"].to_numpy(str))


def freeze_trunk(model: keras.Model) -> int:
    """Make only the head trainable and return its number of parameters, always 113.

    Raises:
        ModelError: the model is another network.
    """
    for layer in model.layers:
        layer.trainable = layer.name == TRIGGER_OUTPUT
    count = int(sum(np.prod(weight.shape) for weight in model.trainable_weights))
    if count != HEAD_PARAMETERS:
        raise ModelError(
            f"{model.name}: the head has {count} parameters, expected {HEAD_PARAMETERS}; "
            f"give a .keras file that 'trigger train' wrote"
        )
    return count


def fit_head(
    features: Values, ratings: Values, kernel: Values, bias: float, ridge: float
) -> tuple[Values, float]:
    """The head that fits ratings best while staying near the rescaled baseline.

    Minimises |ratings - a (features @ kernel + bias) - b - features @ v|^2 + ridge |v|^2, first
    over a, b and then over v.

    Args:
        features: (n, 112).
        ratings: (n,).
        kernel, bias: the baseline's head, (112,) and scalar.
        ridge: weight of the penalty on v.

    Returns:
        kernel (112,) and bias of the fitted head.
    """
    baseline = features @ kernel + bias
    # A baseline that ranks backwards must not be trusted with a negative slope.
    slope = max(float(np.cov(baseline, ratings)[0, 1] / max(baseline.var(ddof=1), 1e-12)), 0.0)
    offset = float(ratings.mean() - slope * baseline.mean())
    correction = Ridge(alpha=ridge).fit(features, ratings - slope * baseline - offset)
    return (
        slope * kernel + correction.coef_,
        slope * bias + offset + float(correction.intercept_),
    )


def choose_ridge(
    features: Values,
    ratings: Values,
    kernel: Values,
    bias: float,
    scenes: npt.NDArray[np.str_],
) -> float:
    """The ridge with the least squared error over up to five folds of training scenes."""
    if len(set(scenes)) < 2:
        return float(RIDGES[-1])  # one scene cannot tell what carries over: trust the baseline
    errors = np.zeros(len(RIDGES))
    folds = GroupKFold(min(5, len(set(scenes))))
    for train, test in folds.split(features, groups=scenes):
        for i, ridge in enumerate(RIDGES):
            weights, offset = fit_head(features[train], ratings[train], kernel, bias, ridge)
            errors[i] += mean_squared_error(ratings[test], features[test] @ weights + offset)
    return float(RIDGES[int(errors.argmin())])


def cross_validate(
    features: Values,
    ratings: Values,
    kernel: Values,
    bias: float,
    scenes: npt.NDArray[np.str_],
) -> Values:
    """Each photo's score by a head that was fitted without the photo's fold of scenes."""
    folds = np.array([fold_of(scene) for scene in scenes])
    scores = np.empty(len(ratings))
    for fold in set(folds):
        train, test = folds != fold, folds == fold
        ridge = choose_ridge(features[train], ratings[train], kernel, bias, scenes[train])
        weights, offset = fit_head(features[train], ratings[train], kernel, bias, ridge)
        scores[test] = features[test] @ weights + offset
    return scores


def summary(report: dict[str, Any]) -> str:
    """The comparisons as a few lines of text."""
    lines = []
    for title in ("held_out", "cross_validated"):
        figures = report[title]
        lines.append(
            f"{title.replace('_', ' ')}: {figures['n']} photos of {figures['scenes']} scenes, "
            f"prevalence {figures['prevalence']:.3f} (what random scores reach)"
        )
        for name, entry in figures["scores"].items():
            low, high = entry["interval"] or (float("nan"), float("nan"))
            lines.append(f"{name:>12}: AUC-PR {entry['auc_pr']:.3f}  [{low:.3f}, {high:.3f}]")
            if "gain" in entry:
                low, high = entry["gain_interval"] or (float("nan"), float("nan"))
                lines.append(f"{'gain':>12}: {entry['gain']:+.3f}  [{low:+.3f}, {high:+.3f}]")
    return "\n".join(lines)


def _check_split(path: Path, ratings: Values, held_out: npt.NDArray[np.bool_]) -> None:
    for side, mask in (("training", ~held_out), ("held-out", held_out)):
        improvable = int((ratings[mask] >= IMPROVABLE).sum())
        if not 0 < improvable < mask.sum():
            raise DataError(
                f"{path}: of {int(mask.sum())} {side} photos {improvable} are improvable (mean "
                f"rating >= {IMPROVABLE}); both sorts are needed on both sides of the split by "
                f"scene: rate more photos of more scenes"
            )
