"""Enhance photo files into new files next to them, and measure whether it helped.

Two questions are answered by two models. *Did it help?* is delta, the mean opinion of the enhanced
photo minus that of the photo, by the scorer (opinions 1..10): the measure that labels hold. *Is
there still something to gain?* is the trigger's score before and after. Both judge the new file as
it reads back, losses by compression included.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.data.pixels import Pixels
from pipelines.enhancers.base import Enhancer, enhance_pixels
from pipelines.enhancers.new_file import check_new_file, write_new_file
from pipelines.enhancers.photo_files import check_writable, reencode
from pipelines.enhancers.registry import DEFAULT_ENHANCER, load_enhancer
from pipelines.enhancers.tiling import windows_shown
from pipelines.scorers import DEFAULT_SCORER, Scorer, checked_opinions, load_scorer, mean_score
from trigger.assessment import Trigger
from trigger.console.terminal import printable
from trigger.errors import DataError, EnhancerError, PhotoError, ScorerError, TriggerError
from trigger.files import is_file
from trigger.photo import read_photo, read_photo_bytes

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Enhanced:
    """The result of enhancing one photo.

    Attributes:
        photo: its path.
        file: the new file; None if it was not kept.
        enhancer: name and version.
        score: of the photo by the trigger: what enhancement would gain.
        score_after: of the enhanced photo by the trigger: what is left to gain.
        input_score: mean opinion of the photo, 1..10, by the scorer.
        enhanced_score: mean opinion of the enhanced photo.
        delta: ``enhanced_score - input_score``; enhancement helped if this is above 0.
        dropped: what the photo file holds and the new file does not, in words.
    """

    photo: str
    file: str | None
    enhancer: str
    score: float
    score_after: float
    input_score: float
    enhanced_score: float
    delta: float
    dropped: tuple[str, ...] = ()

    @property
    def helped(self) -> bool:
        """Whether the scorer prefers the enhanced photo."""
        return self.delta > 0

    def to_json(self) -> dict[str, Any]:
        """The attributes as a dictionary ready for ``json.dumps``."""
        return asdict(self) | {"helped": self.helped}


@dataclass(frozen=True)
class NotEnhanced:
    """A photo that could not be enhanced.

    Attributes:
        photo: its path.
        reason: short stable word: ``PhotoError.reason``, or what failed: enhance, score or write.
        message: what is wrong and how to fix it.
    """

    photo: str
    reason: str
    message: str

    def __str__(self) -> str:
        return self.message if self.photo in self.message else f"{self.photo}: {self.message}"

    def to_json(self) -> dict[str, Any]:
        """The attributes as a dictionary ready for ``json.dumps``."""
        return {"photo": self.photo, "error": {"reason": self.reason, "message": self.message}}


def enhance_photos(
    photos: Sequence[str | os.PathLike[str]],
    enhancer: Enhancer | str = DEFAULT_ENHANCER,
    scorer: Scorer | str = DEFAULT_SCORER,
    trigger: Trigger | None = None,
    *,
    force: bool = False,
    keep_if_better: bool = False,
    drop_extras: bool = False,
    show_progress: bool = False,
) -> Iterator[Enhanced | NotEnhanced]:
    """Enhance photo files as ``enhance_photo`` does; a photo that fails does not stop the others.

    Results of an earlier run of the same enhancer, NAME-ENHANCER next to NAME, are skipped; the
    number of them is logged.

    Args:
        photos: paths.
        enhancer: what to apply, or its name.
        scorer: measures whether it helped; or its name.
        trigger: whose score is reported; the packaged one by default.
        force: replace new files that exist.
        keep_if_better: write nothing where it did not help.
        drop_extras: drop metadata that enhancing invalidates, instead of refusing the photo.
        show_progress: show a progress bar for each photo.

    Example:
        >>> photos = ["a.jpg", "b.jpg"]
        >>> for result in enhance_photos(photos, keep_if_better=True):  # doctest: +SKIP
        ...     print(result.to_json())
    """
    enhancer = load_enhancer(enhancer) if isinstance(enhancer, str) else enhancer
    scorer = load_scorer(scorer) if isinstance(scorer, str) else scorer
    trigger = trigger or Trigger()
    originals = [photo for photo in photos if not _is_result(Path(photo), enhancer)]
    if skipped := len(photos) - len(originals):
        logger.warning(
            "skipped %d: results of %s, next to the photos they were made from; rename one to "
            "enhance it once more",
            skipped,
            enhancer.name,
        )
    for number, photo in enumerate(originals, start=1):
        description = f"{number}/{len(originals)} {printable(Path(photo).name)}"
        result: Enhanced | NotEnhanced
        try:
            with windows_shown(description, show_progress):
                result = enhance_photo(
                    photo,
                    enhancer,
                    scorer,
                    trigger,
                    force=force,
                    keep_if_better=keep_if_better,
                    drop_extras=drop_extras,
                )
        except Exception as error:  # one photo, whatever is wrong with it, never stops the others
            result = _failure(photo, error)
        yield result


def enhance_photo(
    photo: str | os.PathLike[str],
    enhancer: Enhancer | str = DEFAULT_ENHANCER,
    scorer: Scorer | str = DEFAULT_SCORER,
    trigger: Trigger | None = None,
    *,
    force: bool = False,
    keep_if_better: bool = False,
    drop_extras: bool = False,
) -> Enhanced:
    """Enhance a photo file into NAME-ENHANCER.EXTENSION next to it.

    The new file has the format, metadata and orientation of the photo, which itself is only read.
    It is written whole or not at all.

    Args:
        photo: path of a JPEG, PNG, WebP or BMP file.
        enhancer: what to apply, or its name.
        scorer: measures whether it helped; or its name.
        trigger: whose score is reported before and after; the packaged one by default.
        force: replace a new file that exists already.
        keep_if_better: write nothing where it did not help.
        drop_extras: drop metadata that enhancing invalidates (the clip of a motion photo, a gain
            map, further pictures, content credentials), instead of refusing the photo.

    Raises:
        PhotoError: the photo cannot be read, or cannot be written safely in its format.
        DataError: the new file exists already, or cannot be written.
        EnhancerError: the enhancer failed, or returned something other than a photo of that size.
        ScorerError: the scorer failed.

    Example:
        >>> enhance_photo("IMG_0042.jpg", "deblur").file  # doctest: +SKIP
        'IMG_0042-deblur.jpg'
    """
    enhancer = load_enhancer(enhancer) if isinstance(enhancer, str) else enhancer
    scorer = load_scorer(scorer) if isinstance(scorer, str) else scorer
    trigger = trigger or Trigger()
    name = os.fspath(photo)
    data = read_photo_bytes(name)
    pixels = read_photo(data, name=name).pixels
    dropped = check_writable(data, name, drop_extras=drop_extras)
    target = check_new_file(Path(photo), enhancer.name, force=force)
    encoded = reencode(_enhanced(enhancer, pixels), data, name)
    after = read_photo(encoded, name=str(target)).pixels
    if pixels.shape != after.shape:
        raise EnhancerError(f"{target} would read back with another size than {name}")
    versions = pixels, after
    input_score, enhanced_score = (
        float(mean_score(checked_opinions(scorer, [version]))[0]) for version in versions
    )
    keep = enhanced_score > input_score or not keep_if_better
    if keep:
        write_new_file(target, encoded, Path(photo), force=force)
    score, score_after = (trigger.assess(version).score for version in versions)
    return Enhanced(
        photo=name,
        file=str(target) if keep else None,
        enhancer=f"{enhancer.name} {enhancer.version}",
        score=score,
        score_after=score_after,
        input_score=input_score,
        enhanced_score=enhanced_score,
        delta=enhanced_score - input_score,
        dropped=dropped,
    )


def _enhanced(enhancer: Enhancer, pixels: Pixels) -> Pixels:
    try:
        return enhance_pixels(enhancer, pixels)
    except TriggerError:
        raise
    except Exception as error:  # enhancers raise what they like
        raise EnhancerError(
            f"enhancer {enhancer.name!r} failed: {type(error).__name__}: {error}"
        ) from error


def _failure(photo: str | os.PathLike[str], error: Exception) -> NotEnhanced:
    name = os.fspath(photo)
    if isinstance(error, PhotoError):
        return NotEnhanced(name, error.reason, error.message)
    stages: dict[type[Exception], str] = {ScorerError: "score", DataError: "write"}
    reason = stages.get(type(error), "enhance")
    if isinstance(error, TriggerError):
        return NotEnhanced(name, reason, str(error))
    logger.debug("%s failed unexpectedly", name, exc_info=error)
    return NotEnhanced(name, reason, f"failed unexpectedly ({type(error).__name__}: {error})")


def _is_result(path: Path, enhancer: Enhancer) -> bool:
    """Whether an earlier run made it, as is likely when ``*.jpg`` is enhanced a second time."""
    original = path.stem.removesuffix(f"-{enhancer.name}")
    return original not in ("", ".", path.stem) and is_file(path.with_stem(original))
