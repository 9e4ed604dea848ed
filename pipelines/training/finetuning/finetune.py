"""Fine-tuning: fit the 113 head parameters of a trained model to human ratings."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from export.network import load_network
from pipelines.data.available import report_missing
from pipelines.data.json_records import to_json
from pipelines.data.lock import working_in
from pipelines.data.splits import is_held_out, unseen
from pipelines.data.tables import frame_bytes
from pipelines.evaluation.thresholds import Target, choose_threshold
from pipelines.models.record import enhancer_of, read_record
from pipelines.ratings.photos import RATED_REMEDY, read_rated
from pipelines.ratings.table import IMPROVABLE, PERFECT
from pipelines.training.finetuning.features import trunk_features
from pipelines.training.finetuning.head import (
    Head,
    RatedPhotos,
    Tuning,
    Values,
    cross_validate,
    fit_head,
    freeze_trunk,
    read_head,
    select_ridge,
    write_head,
)
from pipelines.training.finetuning.learning_curve import learning_curve
from pipelines.training.finetuning.page import finetune_page
from pipelines.training.finetuning.plots import draw_precision_recall
from pipelines.training.finetuning.report import FineTuningReport, make_report
from pipelines.training.loop import check_start_outside
from pipelines.training.networks import cut_trunk, save_network
from pipelines.training.options import FinetuneOptions
from trigger.assessment import DEFAULT_THRESHOLD
from trigger.errors import DataError
from trigger.files import write_atomically

logger = logging.getLogger(__name__)


class TargetNotReached(DataError):
    """No threshold reaches the target; everything has been written, with the default threshold.

    Attributes:
        report: of the fine-tuning.
    """

    def __init__(self, problem: DataError, report: FineTuningReport) -> None:
        self.report = report
        super().__init__(
            f"{problem}. Everything else has been written, with the threshold "
            f"{report.threshold.value:g}"
        )


def finetune(
    model: str | PathLike[str],
    ratings: str | PathLike[str],
    out: str | PathLike[str],
    options: FinetuneOptions | None = None,
    *,
    show_progress: bool = False,
) -> FineTuningReport:
    """Fit the head of a trained network to human ratings, and report on it.

    Writes ``finetuned.keras``, ``report.html``, ``report.json``, ``precision_recall.png``,
    ``predictions.csv`` and ``features.npz`` (trunk features, so that a second run takes seconds).

    Args:
        model: ``.keras`` file of :func:`pipelines.training.train`.
        ratings: CSV with columns path and rating (2, 1, 0, -1), raw or aggregated.
        out: folder for the results; made if it does not exist.
        options: target of the threshold, and whether other enhancers are accepted.
        show_progress: draw a progress bar on stderr if that is a terminal.

    Returns:
        What ``report.json`` holds.

    Raises:
        DataError: the ratings cannot be used.
        TargetNotReached: no threshold reaches the target; everything has been written, with the
            default threshold.
        ModelError: the file is missing or holds another network.
        OptionError: ``out`` is the folder of the model.

    Example:
        >>> from pipelines.training import finetune
        >>> report = finetune("baseline/baseline.keras", "ratings.csv", "tuned")  # doctest: +SKIP
        >>> report.held_out.scores["fine-tuned"].auc_pr  # doctest: +SKIP
        0.89
    """
    options = options or FinetuneOptions()
    model, ratings, out = Path(model), Path(ratings), Path(out)
    check_start_outside(out, "the network", model)
    table = read_rated(ratings)
    network = load_network(model)
    labels = read_record(model)
    if not options.force:
        check_enhancers(ratings, table["enhancer"], labels)
    table["held_out"] = table["scene"].map(is_held_out)
    _check_split(ratings, table)
    _warn_of_known_photos(table)
    with working_in(out):
        parameters = freeze_trunk(network)
        logger.info("trainable parameters: %d of %s", parameters, f"{network.count_params():,}")
        table, features = _features_of(network, table, ratings, out, show_progress)
        rated = RatedPhotos(
            features,
            table["rating"].to_numpy(np.float64),
            table["weight"].to_numpy(np.float64),
            table["scene"].to_numpy(str),
        )
        held_out = table["held_out"].to_numpy()
        training, test = rated[~held_out], rated[held_out]
        baseline = read_head(network)
        tuning = select_ridge(training, baseline)
        threshold, target, unreached = _threshold(training, tuning, options.target)
        head = fit_head(training, baseline, tuning.ridge)
        write_head(network, head)
        save_network(network, out / "finetuned.keras", labels)
        table = _with_scores(table, rated, baseline, head, target)
        report = make_report(
            table,
            trainable_parameters=parameters,
            ridge=tuning.ridge,
            labels=labels,
            threshold=threshold,
            target=target,
            curve=learning_curve(training, test, baseline),
        )
        _write_reports(out, table, report)
    if unreached:
        raise TargetNotReached(unreached, report)
    return report


def check_enhancers(path: Path, rated: Iterable[str], record: Mapping[str, str]) -> None:
    """Reject ratings made with a different enhancer than the model's labels.

    Ratings that name no enhancer are accepted. So are derived ones, which name the perfect
    enhancer: they replace ratings until there are some.

    Args:
        path: of the ratings, for messages.
        rated: "name-version" or "name" of each rated photo's enhancer; "" unknown.
        record: of the model; empty where it has none.

    Raises:
        DataError: some ratings were made with a different enhancer.
    """
    if "enhancer" not in record:
        logger.warning("the model does not record which enhancer its labels were made with")
        return
    labelled = enhancer_of(record)
    same = {"", PERFECT, labelled, record["enhancer"]}
    others = Counter(name for name in rated if name not in same)
    if others:
        listed = ", ".join(f"{count} of {name!r}" for name, count in others.most_common())
        raise DataError(
            f"{path}: holds ratings {listed}, but the model learned from labels of "
            f"{labelled!r}: gains of one enhancer do not predict those of another. Label and train "
            "with the enhancer that was rated, or accept them with --force"
        )


def _check_split(path: Path, table: pd.DataFrame) -> None:
    for side, held_out in (("training", False), ("held-out", True)):
        rows = table[table["held_out"] == held_out]
        improvable = int((rows["rating"] >= IMPROVABLE).sum())
        if not 0 < improvable < len(rows):
            raise DataError(
                f"{path}: of {len(rows)} {side} photos {improvable} are improvable (mean "
                f"rating >= {IMPROVABLE}); both sides of the split by scene need photos that are "
                "improvable and photos that are not: rate more photos of more scenes"
            )


def _warn_of_known_photos(table: pd.DataFrame) -> None:
    """Warn where held-out photos may be among those that the baseline was trained on."""
    if known := int((table["held_out"] & ~unseen(table)).sum()):
        logger.warning(
            "the ratings name scenes of their own, so %d of %d held-out photos may be among those "
            "that the model was trained on; leave 'scene' empty where a photo has no better name",
            known,
            int(table["held_out"].sum()),
        )


def _features_of(
    network: keras.Model, table: pd.DataFrame, ratings: Path, out: Path, show_progress: bool
) -> tuple[pd.DataFrame, Values]:
    """Trunk features (n, 112) of rated photos, and their rows without those of broken photos."""
    features, rejected = trunk_features(
        cut_trunk(network),
        list(table["path"]),
        list(table["photo"]),
        out / "features.npz",
        show_progress=show_progress,
    )
    if not rejected:
        return table, features
    broken = [(path, rejected[path]) for path in table["path"] if path in rejected]
    report_missing(ratings, broken, len(table), RATED_REMEDY)
    readable = ~table["path"].isin(rejected).to_numpy()
    table = table[readable].reset_index(drop=True)
    _check_split(ratings, table)
    return table, features[readable]


def _threshold(
    training: RatedPhotos, tuning: Tuning, target: Target | None
) -> tuple[float, Target | None, DataError | None]:
    """The threshold, the target that it reaches, and the error where the one asked for is not."""
    if target is None:
        return DEFAULT_THRESHOLD, None, None
    try:
        return choose_threshold(training.improvable, tuning.scores, target), target, None
    except DataError as error:
        return DEFAULT_THRESHOLD, None, error


def _with_scores(
    table: pd.DataFrame, rated: RatedPhotos, baseline: Head, head: Head, target: Target | None
) -> pd.DataFrame:
    """Add the columns baseline, fine-tuned, cross-validated and alert."""
    crossed = cross_validate(rated, baseline, target)
    return table.assign(
        **{
            "baseline": baseline.scores(rated.features),
            "fine-tuned": head.scores(rated.features),
            "cross-validated": crossed.scores,
            "alert": crossed.alerts,
        }
    )


def _write_reports(out: Path, table: pd.DataFrame, report: FineTuningReport) -> None:
    write_atomically(out / "predictions.csv", frame_bytes(table))
    write_atomically(out / "report.json", to_json(report))
    test = table[table["held_out"]]
    curve = draw_precision_recall(
        (test["rating"] >= IMPROVABLE).to_numpy(),
        {name: test[name].to_numpy() for name in ("baseline", "fine-tuned")},
        report.held_out,
    )
    write_atomically(out / "precision_recall.png", curve)
    write_atomically(out / "report.html", finetune_page(table, report).encode())
