"""``trigger enhance``: enhance photos into new files beside them, and see whether it helped.

Two different questions are answered by two different models. *Did it help?* is delta, the mean
opinion of the enhanced photo minus that of the photo, as the scorer (NIMA, opinions 1..10) sees
them: the same measure that labels hold. *Is there still something to gain?* is the trigger's score
before and after. Both judge the new file as it can be read back, with what its compression cost.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pipelines.enhancers import (
    DEFAULT_ENHANCER,
    ENHANCER_SPECS,
    Enhancer,
    enhance_pixels,
    load_enhancer,
)
from pipelines.enhancers.photo_files import WRITABLE, check_writable, encode_like
from pipelines.enhancers.tiling import windows_watched
from pipelines.scorers import DEFAULT_SCORER, Scorer, checked_opinions, load_scorer, mean_score
from trigger.assessment import Trigger
from trigger.console.quiet import native_messages_muted
from trigger.console.terminal import complain, leave_out, printable
from trigger.errors import DataError, EnhancerError, PhotoError, ScorerError, TriggerError
from trigger.files import can_be_written, is_file, write_atomically
from trigger.photo import read_photo, read_photo_bytes


@dataclass(frozen=True)
class Enhanced:
    """What became of one photo.

    Attributes:
        photo: its path.
        file: the new file; None where it was not kept.
        enhancer: name and version.
        score: of the photo by the trigger: what enhancement would gain.
        score_after: of the enhanced photo by the trigger: what is left to gain.
        input_score: mean opinion of the photo, 1..10, by the scorer.
        enhanced_score: mean opinion of the enhanced photo.
        delta: ``enhanced_score - input_score``; it helped where this is above 0.
    """

    photo: str
    file: str | None
    enhancer: str
    score: float
    score_after: float
    input_score: float
    enhanced_score: float
    delta: float

    @property
    def helped(self) -> bool:
        """Whether the scorer prefers the enhanced photo."""
        return self.delta > 0

    def to_json(self) -> dict[str, Any]:
        """The attributes as a dictionary ready for ``json.dumps``."""
        return asdict(self) | {"helped": self.helped}


def enhance_photo(
    photo: str | os.PathLike[str],
    enhancer: Enhancer,
    scorer: Scorer,
    trigger: Trigger,
    *,
    force: bool = False,
    keep_if_better: bool = False,
) -> Enhanced:
    """Enhance a photo file into NAME-ENHANCER.EXTENSION beside it.

    The new file has the format, EXIF data, ICC profile and orientation of the photo, which itself
    is only read. It is written whole or not at all.

    Args:
        photo: path of a JPEG, PNG, WebP or BMP file.
        enhancer: what to apply.
        scorer: who says whether it helped.
        trigger: whose score is reported before and after.
        force: replace a new file that exists already.
        keep_if_better: write nothing where it did not help.

    Raises:
        PhotoError: the photo cannot be read, or not be written safely in its format.
        DataError: the new file exists already, or cannot be written.
        EnhancerError: the enhancer failed, or returned what is not a photo of the same size.
    """
    path = Path(photo)
    name = os.fspath(photo)
    data = read_photo_bytes(name)
    check_writable(data, name)
    target = path.with_name(f"{path.stem}-{enhancer.name}{path.suffix}")
    if is_file(target) and not force:
        raise DataError(f"{target} exists already; replace it with --force")
    if not can_be_written(target):
        raise DataError(
            f"{target} cannot be written; its folder must be one where you may write, and its name "
            "neither too long nor that of a folder"
        )
    pixels = read_photo(data, name=name).pixels
    try:
        enhanced = enhance_pixels(enhancer, pixels)
    except TriggerError:
        raise
    except Exception as error:  # enhancers raise what they like
        raise EnhancerError(
            f"enhancer {enhancer.name!r} failed: {type(error).__name__}: {error}"
        ) from error
    encoded = encode_like(enhanced, data, name)
    del enhanced
    versions = pixels, read_photo(encoded, name=str(target)).pixels
    if versions[0].shape != versions[1].shape:
        raise EnhancerError(f"{target} would read back with another size than {name}")
    before, after = (
        float(mean_score(checked_opinions(scorer, [version]))[0]) for version in versions
    )
    keep = after > before or not keep_if_better
    if keep:
        write_atomically(target, encoded)
    score, score_after = (trigger.assess(version).score for version in versions)
    return Enhanced(
        photo=name,
        file=str(target) if keep else None,
        enhancer=f"{enhancer.name} {enhancer.version}",
        score=score,
        score_after=score_after,
        input_score=before,
        enhanced_score=after,
        delta=after - before,
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``trigger enhance``."""
    parser.description = (
        "Enhance photos into new files beside them: IMG_0042.jpg becomes IMG_0042-restorer.jpg.\n"
        "EXIF data, ICC profile and orientation are kept, and the photos themselves not touched."
    )
    parser.epilog = (
        "score and left: what enhancement would gain before and after, by the packaged trigger\n"
        "delta: how much better the scorer finds the enhanced photo, in points of 1..10; above 0, "
        "it helped\n"
        f"written are {WRITABLE}; others, and what would lose by it (animations, "
        "transparency, more than 8 bits, CMYK), are refused\n"
        "results of an earlier run of the same enhancer, NAME-ENHANCER beside NAME, are left out, "
        "which is said on standard error\n"
        "exit codes: 0 all done, 1 some photos failed (or an error), 2 wrong usage\n\n"
        "example: trigger enhance *.jpg --keep-if-better\n"
        "example: trigger enhance IMG_0042.jpg --enhancer deblur"
    )
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="photo file")
    parser.add_argument(
        "--enhancer",
        default=DEFAULT_ENHANCER,
        metavar="NAME|PATH",
        help=f"{ENHANCER_SPECS} (default: %(default)s)",
    )
    parser.add_argument("--scorer", default=DEFAULT_SCORER, help="default: %(default)s")
    parser.add_argument(
        "--keep-if-better", action="store_true", help="write only where it helped (delta above 0)"
    )
    parser.add_argument("--force", action="store_true", help="replace new files that exist")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print JSON lines: one object per photo that is not left out, with 'delta' or with "
        "'error', which has 'reason' (as of trigger score; or enhance, score, write: what failed) "
        "and 'message'",
    )


def run(args: argparse.Namespace) -> int:
    """Enhance each photo; return 1 if one of them failed."""
    with native_messages_muted():
        models = load_enhancer(args.enhancer), load_scorer(args.scorer), Trigger()
    if not args.json:
        sys.stdout.write("   score    left   delta  helped  file\n")
    code = 0
    photos = [photo for photo in args.photos if not _is_result(Path(photo), models[0])]
    if len(photos) < len(args.photos):
        left_out = len(args.photos) - len(photos)
        leave_out(
            f"{left_out}: results of {models[0].name}, beside the photos they were made from; "
            "rename one to enhance it once more"
        )
    for number, photo in enumerate(photos, start=1):
        try:
            with _progress(f"{number}/{len(photos)} {printable(Path(photo).name)}"):
                result = enhance_photo(
                    photo, *models, force=args.force, keep_if_better=args.keep_if_better
                )
        except TriggerError as error:
            code = 1
            text = str(error)
            complain(text if photo in text else f"{photo}: {text}")
            if args.json:
                sys.stdout.write(json.dumps({"photo": photo, "error": _error(error)}) + "\n")
        else:
            sys.stdout.write(json.dumps(result.to_json()) + "\n" if args.json else _line(result))
        sys.stdout.flush()
    return code


def _is_result(path: Path, enhancer: Enhancer) -> bool:
    """Whether an earlier run made it, as is likely when ``*.jpg`` is enhanced a second time."""
    original = path.stem.removesuffix(f"-{enhancer.name}")
    return original not in ("", ".", path.stem) and is_file(path.with_stem(original))


def _error(error: TriggerError) -> dict[str, str]:
    """As ``trigger score`` tells it: why a photo cannot be read, or the stage that failed."""
    if isinstance(error, PhotoError):
        return {"reason": error.reason, "message": error.message}
    reason = {ScorerError: "score", DataError: "write"}.get(type(error), "enhance")
    return {"reason": reason, "message": str(error)}


def _line(result: Enhanced) -> str:
    helped = "yes" if result.helped else "no"
    file = printable(result.file or f"{result.photo} stays as it is")
    return f"{result.score:8.3f}{result.score_after:8.3f}{result.delta:+8.3f}  {helped:6}  {file}\n"


@contextmanager
def _progress(description: str) -> Iterator[None]:
    """A bar of the windows done; an enhancer may go over the photo more than once."""
    with tqdm(desc=description, unit="window", leave=False, disable=None) as bar:

        def watch(done: int, total: int) -> None:
            if done == 1:
                bar.reset(total)
            bar.update()

        with windows_watched(watch):
            yield
