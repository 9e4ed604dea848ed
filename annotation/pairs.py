"""``trigger pairs``: choose photos worth rating and make the before/after pairs."""

from __future__ import annotations

import argparse
import hashlib
import math
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from annotation.labels import read_labels
from annotation.manifest import (
    MANIFEST_FILE,
    RATINGS_FILE,
    Manifest,
    Pair,
    write_manifest,
)
from annotation.pictures import content_features, render, spoil
from annotation.selection import STRATA, choose, quotas, strata_of
from trigger.assessment import DEFAULT_THRESHOLD
from trigger.cli.options import finite_number, local_path, positive_number, random_seed
from trigger.console.progress import progress
from trigger.console.terminal import leave_out
from trigger.errors import DataError, OptionError, PhotoError
from trigger.files import make_folder, write_atomically
from trigger.photo import read_photo, read_same_photo
from trigger.threads import usable_cores

CANDIDATES = 4  # photos looked at per pair wanted, to choose diverse ones from
SENTINEL_KINDS = ("bad", "identical", "good")
SENTINEL_ENHANCER = "sentinel"


@dataclass(frozen=True)
class _Draft:
    """A pair to be made of a label."""

    photo: str
    path: str
    scene: str
    enhancer: str
    enhanced: str
    delta: float | None
    sentinel: str
    repeat: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``trigger pairs``."""
    parser.description = (
        "Choose labelled photos worth rating: all deltas, most of them near the threshold, diverse "
        "in content. Pairs with a known answer (sentinels) and second showings (repeats) are mixed "
        f"in to tell careful raters. {MANIFEST_FILE} names every picture by its hash."
    )
    parser.epilog = "example: trigger pairs labels --out pairs -n 1000, then trigger annotate pairs"
    parser.add_argument("labels", type=local_path, metavar="LABELS", help="folder by trigger label")
    parser.add_argument("--out", type=local_path, required=True, metavar="PAIRS", help="new folder")
    parser.add_argument(
        "-n", type=positive_number, default=1000, help="photos to choose (default: 1000)"
    )
    parser.add_argument(
        "--threshold",
        type=finite_number,
        default=DEFAULT_THRESHOLD,
        help="delta from which on a photo should be enhanced (default: %(default)s)",
    )
    parser.add_argument(
        "--sentinels",
        type=_share,
        default=0.05,
        metavar="SHARE",
        help="pairs with a known answer, as a share of those chosen (default: %(default)s): a "
        "spoiled photo as after, the same photo twice, a spoiled photo as before",
    )
    parser.add_argument(
        "--repeats",
        type=_share,
        default=0.05,
        metavar="SHARE",
        help="pairs to show a second time, as a share of those chosen (default: %(default)s)",
    )
    parser.add_argument(
        "--enhancer",
        metavar="NAME",
        help="where LABELS holds labels of several: which one, 'NAME' or 'NAME VERSION'",
    )
    parser.add_argument("--scorer", metavar="NAME", help="the same for scorers")
    parser.add_argument(
        "--seed", type=random_seed, default=0, help="the same seed chooses the same pairs"
    )
    parser.add_argument(
        "--workers",
        type=positive_number,
        default=usable_cores(),
        help="threads (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Choose, make, and say what was chosen; 1 if photos had to be left out."""
    for file in (MANIFEST_FILE, RATINGS_FILE):
        if (args.out / file).exists():
            raise OptionError(f"{args.out} holds pairs already; name a new folder")
    # Pictures without a manifest are what an interrupted run has left.
    foreign = sorted(path.name for path in args.out.glob("[!.]*") if path.name != "images")
    if foreign:
        raise OptionError(
            f"{args.out} is not empty (it holds {foreign[0]!r}); name a new or empty folder"
        )
    labels = read_labels(args.labels, args.enhancer, args.scorer)
    if not labels["enhanced"].any():
        raise DataError(
            f"{args.labels} has no enhanced photos by {labels['enhancer'].iloc[0]}; label the "
            "photos into another folder, with --enhanced-format png"
        )
    rng = np.random.default_rng(args.seed)
    drafts, left_out = _choose(labels[labels["enhanced"] != ""].reset_index(drop=True), args, rng)
    make_folder(args.out)
    pairs: list[Pair] = []
    with ThreadPoolExecutor(args.workers, thread_name_prefix="pairs") as pool:
        made = pool.map(partial(_make, args.out), drafts)
        for pair in progress(made, "pairs", total=len(drafts), unit="pairs"):
            if isinstance(pair, PhotoError):
                left_out.append(pair)
            else:
                pairs.append(pair)
    for problem in left_out:
        leave_out(problem)
    if not any(not pair.sentinel for pair in pairs):
        raise DataError(f"none of {len(left_out)} photos of {args.labels} can be used, see above")
    options = {
        "labels": str(args.labels.resolve()),
        "n": args.n,
        "threshold": args.threshold,
        "sentinels": args.sentinels,
        "repeats": args.repeats,
        "seed": args.seed,
    }
    created = datetime.now(UTC).isoformat(timespec="seconds")
    write_manifest(args.out, Manifest(created, options, tuple(pairs)))
    sys.stdout.write(_summary(args.out, pairs, args.threshold))
    return 1 if left_out else 0


def _choose(
    labels: pd.DataFrame, args: argparse.Namespace, rng: np.random.Generator
) -> tuple[list[_Draft], list[PhotoError]]:
    """Pairs to make, and photos that cannot be read."""
    candidates, features, left_out = _look(labels, args, rng)
    strata = candidates["stratum"].to_numpy()
    chosen = choose(strata, features, candidates["scene"].tolist(), quotas(strata, args.n))
    repeated = set(rng.permutation(chosen)[: round(args.repeats * len(chosen))].tolist())
    drafts = [
        _draft(label, repeat=row in repeated) for row, label in candidates.loc[chosen].iterrows()
    ]
    # Sentinels are made from the best photos, where spoiling shows, if possible unchosen ones.
    best = candidates.sort_values("input_score", ascending=False, kind="stable")
    best = pd.concat([best.drop(index=chosen), best.loc[chosen]])
    best = best.head(round(args.sentinels * len(chosen)))
    drafts += [
        _draft(label, sentinel=kind)
        for (_, label), kind in zip(best.iterrows(), cycle(SENTINEL_KINDS), strict=False)
    ]
    return drafts, left_out


def _look(
    labels: pd.DataFrame, args: argparse.Namespace, rng: np.random.Generator
) -> tuple[pd.DataFrame, npt.NDArray[np.float32], list[PhotoError]]:
    """Candidates of every stratum, features of their content, and photos that cannot be read."""
    strata = strata_of(labels["delta"].to_numpy(np.float64), args.threshold)
    shuffled = labels.assign(stratum=strata).iloc[rng.permutation(len(labels))]
    place = shuffled.groupby("stratum").cumcount()
    wanted = shuffled["stratum"].map(quotas(strata, args.n))
    candidates = shuffled[place < wanted * CANDIDATES].reset_index(drop=True)
    with ThreadPoolExecutor(args.workers, thread_name_prefix="pairs") as pool:
        rows = zip(candidates["photo"], candidates["path"], strict=True)
        seen = list(progress(pool.map(_features, rows), "comparing", total=len(candidates)))
    features = [feature for feature in seen if not isinstance(feature, PhotoError)]
    left_out = [problem for problem in seen if isinstance(problem, PhotoError)]
    if not features:
        raise left_out[0]
    readable = [not isinstance(feature, PhotoError) for feature in seen]
    return candidates[readable].reset_index(drop=True), np.stack(features), left_out


def _features(label: tuple[str, str]) -> npt.NDArray[np.float32] | PhotoError:
    photo, path = label
    try:
        data = read_same_photo(path, photo)
        return content_features(read_photo(data, name=path, at_least=64).image)
    except PhotoError as error:
        return error


def _draft(label: pd.Series, *, sentinel: str = "", repeat: bool = False) -> _Draft:
    return _Draft(
        photo=label["photo"],
        path=label["path"],
        scene=label["scene"],
        enhancer=SENTINEL_ENHANCER if sentinel else label["enhancer"],
        enhanced=label["enhanced"],
        delta=None if sentinel else round(float(label["delta"]), 4),
        sentinel=sentinel,
        repeat=repeat,
    )


def _make(out: Path, draft: _Draft) -> Pair | PhotoError:
    try:
        before, after = _photos(draft)
    except PhotoError as error:
        return error
    rendered = render(before, after)
    for picture, data in rendered.files.items():
        path = out / picture.file
        make_folder(path.parent)
        write_atomically(path, data)
    name = f"{draft.photo}\0{draft.enhancer}\0{draft.sentinel}"
    return Pair(
        pair=hashlib.sha256(name.encode()).hexdigest()[:16],
        photo=draft.photo,
        path=draft.path,
        scene=draft.scene,
        enhancer=draft.enhancer,
        delta=draft.delta,
        sentinel=draft.sentinel,
        repeat=draft.repeat,
        width=before.width,
        height=before.height,
        crop=rendered.crop,
        before=rendered.before,
        after=rendered.after,
    )


def _photos(draft: _Draft) -> tuple[Image.Image, Image.Image]:
    """The photos before and after."""
    photo = read_photo(read_same_photo(draft.path, draft.photo), name=draft.path).image
    if draft.sentinel:
        spoiled = photo if draft.sentinel == "identical" else spoil(photo)
        return (photo, spoiled) if draft.sentinel == "bad" else (spoiled, photo)
    enhanced = read_photo(draft.enhanced).image
    if enhanced.size != photo.size:
        raise PhotoError(
            "corrupt",
            draft.enhanced,
            f"has {enhanced.size} pixels, the photo before has {photo.size}; label it again",
        )
    return photo, enhanced


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 0.5:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share of 0 to 0.5")
    return share


def _summary(out: Path, pairs: list[Pair], threshold: float) -> str:
    """How many pairs of which kind there are, as text."""
    deltas = np.array([pair.delta for pair in pairs if pair.delta is not None])
    sentinels = Counter(pair.sentinel for pair in pairs if pair.sentinel)
    counts, edges = np.histogram(deltas, STRATA)
    bars = [
        f"  {low:6.2f} to {high:5.2f}  {'#' * round(40 * count / counts.max())} {count}\n"
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    return (
        f"{len(deltas)} pairs with delta {deltas.min():.2f} to {deltas.max():.2f}, "
        f"{int((deltas >= threshold).sum())} of them from the threshold {threshold:g} on:\n"
        + "".join(bars)
        + f"{sum(pair.repeat for pair in pairs)} of them are shown twice; sentinels: "
        f"{', '.join(f'{count} {kind}' for kind, count in sorted(sentinels.items())) or 'none'}\n"
        f"rate them with: trigger annotate {out}\n"
    )
