"""Choose labelled photos worth rating and make their before/after pairs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from annotation.drafts import Draft, draft_of, make_pair
from annotation.manifest import MANIFEST_FILE, RATINGS_FILE, Choice, Manifest, Pair, write_manifest
from annotation.pictures import content_features
from annotation.selection import STRATA, choose, quotas, strata_of
from pipelines.data import labels as label_table
from trigger.assessment import DEFAULT_THRESHOLD
from trigger.console.progress import progress
from trigger.console.terminal import counted
from trigger.errors import DataError, OptionError, PhotoError
from trigger.files import make_folder
from trigger.photo import read_photo, read_same_photo
from trigger.threads import default_workers, map_in_order

CANDIDATES = 4  # photos compared per pair wanted, to choose diverse ones from
SENTINEL_KINDS = ("bad", "identical", "good")
MAX_SHARE = 0.5


@dataclass(frozen=True)
class PairOptions:
    """How pairs are chosen.

    Attributes:
        n: photos to choose.
        threshold: delta from which a photo should be enhanced; most pairs are near it.
        sentinels: pairs with a known answer, as a share of those chosen, 0..0.5.
        repeats: pairs to show a second time, as a share of those chosen, 0..0.5.
        enhancer: only labels of this enhancer, "NAME" or "NAME VERSION"; needed where the folder
            holds several.
        scorer: the same for the scorer.
        seed: the same seed chooses the same pairs.

    Raises:
        OptionError: a share is out of its range.

    Example:
        >>> PairOptions(n=200, enhancer="restorer").sentinels
        0.05
    """

    n: int = 1000
    threshold: float = DEFAULT_THRESHOLD
    sentinels: float = 0.05
    repeats: float = 0.05
    enhancer: str | None = None
    scorer: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("sentinels", "repeats"):
            if not 0 <= getattr(self, name) <= MAX_SHARE:
                raise OptionError(f"{name} is {getattr(self, name)}; it is 0 to {MAX_SHARE}")


@dataclass(frozen=True)
class MadePairs:
    """What :func:`make_pairs` made.

    Attributes:
        folder: PAIRS.
        manifest: its pairs.
        skipped: photos that cannot be used, and why.
    """

    folder: Path
    manifest: Manifest
    skipped: list[PhotoError] = field(default_factory=list)

    def summary(self) -> str:
        """Describe how many pairs of which kind there are, as lines of text."""
        pairs = self.manifest.pairs
        threshold = self.manifest.options.threshold
        deltas = np.array([pair.delta for pair in pairs if pair.delta is not None])
        sentinels = Counter(pair.sentinel for pair in pairs if pair.sentinel)
        counts, edges = np.histogram(deltas, STRATA)
        bars = [
            f"  {low:6.2f} to {high:5.2f}  {'#' * round(40 * count / counts.max())} {count}\n"
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
        ]
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(sentinels.items()))
        return (
            f"{counted(len(deltas), 'pair')} with delta {deltas.min():.2f} to {deltas.max():.2f}, "
            f"{int((deltas >= threshold).sum())} of them at or above the threshold "
            f"{threshold:g}:\n"
            + "".join(bars)
            + f"shown twice: {sum(pair.repeat for pair in pairs)}; "
            f"sentinels: {kinds or 'none'}\n"
            f"rate them with: trigger annotate {self.folder}\n"
        )


def make_pairs(
    labels: Path,
    out: Path,
    options: PairOptions | None = None,
    *,
    workers: int | None = None,
    show_progress: bool = False,
) -> MadePairs:
    """Choose labelled photos worth rating and write their before/after pictures to a folder.

    Chosen are photos of all deltas, most of them near the threshold, diverse in content. Pairs
    with a known answer (sentinels) and second showings (repeats), which show how careful raters
    are, are mixed in.

    Args:
        labels: folder that ``trigger label`` wrote, with enhanced copies.
        out: PAIRS, a new or empty folder.
        options: how pairs are chosen.
        workers: threads (default: one per core, at most 4).
        show_progress: whether to show progress bars on a terminal.

    Raises:
        DataError: LABELS is no labels folder, holds no such labels, or none of its photos can be
            used.
        OptionError: LABELS holds labels of several recipes, or PAIRS is not empty.

    Example:
        >>> made = make_pairs(Path("labels"), Path("pairs"), PairOptions(n=200))  # doctest: +SKIP
        >>> print(made.summary())  # doctest: +SKIP
    """
    options = options or PairOptions()
    _check_empty(out)
    table = _read_labels(labels, options)
    maker = _Maker(out, options, workers or default_workers(), show_progress)
    drafts = maker.choose(table)
    make_folder(out)
    pairs = maker.make(drafts)
    if not any(not pair.sentinel for pair in pairs):
        raise DataError(f"{labels}: no photo can be used; first {maker.skipped[0]}")
    manifest = Manifest(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        options=Choice(
            labels=str(labels.resolve()),
            n=options.n,
            threshold=options.threshold,
            sentinels=options.sentinels,
            repeats=options.repeats,
            seed=options.seed,
        ),
        pairs=tuple(pairs),
    )
    write_manifest(out, manifest)
    return MadePairs(out, manifest, maker.skipped)


def _check_empty(out: Path) -> None:
    for file in (MANIFEST_FILE, RATINGS_FILE):
        if (out / file).exists():
            raise OptionError(f"{out} holds pairs already; name a new folder")
    # Pictures without a manifest are what an interrupted run has left.
    foreign = sorted(path.name for path in out.glob("[!.]*") if path.name != "images")
    if foreign:
        raise OptionError(
            f"{out} is not empty (it holds {foreign[0]!r}); name a new or empty folder"
        )


def _read_labels(folder: Path, options: PairOptions) -> pd.DataFrame:
    """Return the labels that have an enhanced copy, with the enhancer as NAME-VERSION."""
    found = label_table.read_labels(folder, enhancer=options.enhancer, scorer=options.scorer)
    labels = label_table.with_copies(folder, found)
    labels["enhancer"] = labels["enhancer"] + "-" + labels["enhancer_version"]
    with_copy = labels[labels["enhanced"] != ""].reset_index(drop=True)
    if with_copy.empty:
        raise DataError(
            f"{folder} has no enhanced photos by {labels['enhancer'].iloc[0]}; label the "
            "photos into another folder, with --enhanced-format png"
        )
    return with_copy


class _Maker:
    """Chooses and makes the pairs of one folder; collects the photos that cannot be used."""

    def __init__(self, out: Path, options: PairOptions, workers: int, show_progress: bool) -> None:
        self._out = out
        self._options = options
        self._workers = workers
        self._show_progress = show_progress
        self._rng = np.random.default_rng(options.seed)
        self.skipped: list[PhotoError] = []

    def choose(self, labels: pd.DataFrame) -> list[Draft]:
        """Draft the pairs to make: the chosen photos, then the sentinels."""
        options = self._options
        candidates, features = self._compare(self._candidates(labels))
        strata = candidates["stratum"].to_numpy()
        chosen = choose(strata, features, candidates["scene"].tolist(), quotas(strata, options.n))
        repeats = round(options.repeats * len(chosen))
        repeated = set(self._rng.permutation(chosen)[:repeats].tolist())
        drafts = [
            draft_of(label, repeat=row in repeated)
            for row, label in candidates.loc[chosen].iterrows()
        ]
        # Sentinels are made of the best photos, where degradation shows, if possible unchosen.
        best = candidates.sort_values("input_score", ascending=False, kind="stable")
        best = pd.concat([best.drop(index=chosen), best.loc[chosen]])
        best = best.head(round(options.sentinels * len(chosen)))
        return drafts + [
            draft_of(label, sentinel=kind)
            for (_, label), kind in zip(best.iterrows(), cycle(SENTINEL_KINDS), strict=False)
        ]

    def make(self, drafts: list[Draft]) -> list[Pair]:
        """Write the pictures of all pairs that can be made."""
        pairs: list[Pair] = []
        made = map_in_order(partial(make_pair, self._out), drafts, self._workers)
        shown = self._show_progress
        for pair in progress(made, "pairs", total=len(drafts), unit="pairs", shown=shown):
            if isinstance(pair, PhotoError):
                self.skipped.append(pair)
            else:
                pairs.append(pair)
        return pairs

    def _candidates(self, labels: pd.DataFrame) -> pd.DataFrame:
        """Draw at random, from every stratum, ``CANDIDATES`` times what it is to give."""
        strata = strata_of(labels["delta"].to_numpy(np.float64), self._options.threshold)
        shuffled = labels.assign(stratum=strata).iloc[self._rng.permutation(len(labels))]
        place = shuffled.groupby("stratum").cumcount()
        wanted = shuffled["stratum"].map(quotas(strata, self._options.n))
        return shuffled[place < wanted * CANDIDATES].reset_index(drop=True)

    def _compare(self, candidates: pd.DataFrame) -> tuple[pd.DataFrame, npt.NDArray[np.float32]]:
        """Return the readable candidates and the features of their content, (n, d)."""
        rows = zip(candidates["photo"], candidates["path"], strict=True)
        seen = map_in_order(_features, rows, self._workers)
        shown = self._show_progress
        found = list(progress(seen, "comparing", total=len(candidates), shown=shown))
        features = [feature for feature in found if not isinstance(feature, PhotoError)]
        self.skipped += [problem for problem in found if isinstance(problem, PhotoError)]
        if not features:
            raise self.skipped[0]
        readable = [not isinstance(feature, PhotoError) for feature in found]
        return candidates[readable].reset_index(drop=True), np.stack(features)


def _features(label: tuple[str, str]) -> npt.NDArray[np.float32] | PhotoError:
    photo, path = label
    try:
        data = read_same_photo(path, photo)
        return content_features(read_photo(data, name=path, at_least=64).image)
    except PhotoError as error:
        return error
