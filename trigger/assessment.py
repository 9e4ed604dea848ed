"""Decide whether photos would look clearly better after enhancement."""

from __future__ import annotations

import functools
import math
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from trigger.errors import OptionError, PhotoError, PhotoReason
from trigger.model import Model, load_model
from trigger.photo import PhotoSource, read_photo
from trigger.photo.color import ProfileUse
from trigger.photo.decoder import is_photo_source
from trigger.photo.limits import DEFAULT_LIMITS, Limits
from trigger.threads import default_workers, map_in_order
from trigger.views import check_views, show

DEFAULT_THRESHOLD = 0.4
"""Score from which a photo raises an alert."""
MAX_THRESHOLD = 3.4e38
"""Scores are float32, and so are the thresholds that model files hold."""


@dataclass(frozen=True)
class Assessment:
    """The score of one photo, and the decision.

    Attributes:
        photo: path, or what the caller called it.
        score: what enhancement would gain on the scale of ratings (0 neutral, 1 moderate, 2
            significant improvement, -1 regressed); unbounded, about 0 where there is nothing
            to improve. Models that were not fine-tuned score in points of the scorer's 1..10.
        threshold: the score from which on enhancing is suggested.
        enhance: ``score >= threshold``.
        reason: one sentence for people.
        width: of the upright photo, in pixels.
        height: of the upright photo, in pixels.
        seconds_decode: wall time to read, decode and resize.
        seconds_model: wall time of the inference.
        profile_use: what became of the photo's ICC profile, as in ``Photo``; a "broken" one was
            ignored, and the pixels were taken for sRGB.
    """

    photo: str
    score: float
    threshold: float
    enhance: bool
    reason: str
    width: int
    height: int
    seconds_decode: float
    seconds_model: float
    profile_use: ProfileUse

    def to_json(self) -> dict[str, Any]:
        """Return the attributes as a dictionary ready for ``json.dumps``."""
        return asdict(self)


@dataclass(frozen=True)
class RejectedPhoto:
    """A photo of a batch that could not be read.

    Attributes:
        photo: path, or what the caller called it.
        reason: one of ``trigger.errors.PhotoReason``.
        message: what is wrong and how to fix it.
    """

    photo: str
    reason: PhotoReason
    message: str

    def __str__(self) -> str:
        return f"{self.photo}: {self.message}"

    def to_json(self) -> dict[str, Any]:
        """Return ``{"photo": ..., "error": {"reason": ..., "message": ...}}``."""
        return {"photo": self.photo, "error": {"reason": self.reason, "message": self.message}}


class Trigger:
    """A model and a threshold; safe to share between threads.

    Example:
        >>> from trigger import Trigger
        >>> Trigger(threshold=0.4).assess("IMG_0042.jpg").enhance  # doctest: +SKIP
        True
    """

    def __init__(
        self,
        threshold: float = DEFAULT_THRESHOLD,
        model: Model | str | os.PathLike[str] | None = None,
        *,
        views: str = "whole",
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """Load the model (the packaged one by default).

        Args:
            threshold: of the score; see ``Assessment.score``.
            model: a model, or its .tflite file.
            views: what the model is shown of a photo: the ``whole``, or also ``tiles`` of large
                ones at full resolution, which finds fine noise and compression that the reduced
                whole hides, at the cost of decoding at full resolution and five inferences.
            limits: of size, memory and time for decoding one photo.

        Raises:
            OptionError: the threshold is not a finite number, or the views are unknown.
            ModelError: see ``load_model``.
        """
        self.threshold = check_threshold(threshold)
        self.views = check_views(views)
        self.limits = limits
        self.model = model if isinstance(model, Model) else load_model(model)

    def __repr__(self) -> str:
        return f"Trigger(threshold={self.threshold}, model={self.model!r}, views={self.views!r})"

    def assess(self, photo: PhotoSource, *, name: str | None = None) -> Assessment:
        """Assess one photo: path, bytes, binary file, PIL image or (H, W, 3) uint8 RGB array.

        Raises:
            PhotoError: the photo cannot be read.
        """
        begin = time.perf_counter()
        preprocessing = self.model.preprocessing
        at_least = preprocessing.at_least if self.views == "whole" else None
        decoded = read_photo(photo, name=name, at_least=at_least, limits=self.limits)
        shown, weights = show(decoded.image, preprocessing, self.views)
        ready = time.perf_counter()
        score = float(self.model.score(shown) @ weights)
        done = time.perf_counter()
        enhance = score >= self.threshold
        return Assessment(
            photo=decoded.name,
            score=score,
            threshold=self.threshold,
            enhance=enhance,
            reason=_sentence(score, self.threshold, enhance),
            width=decoded.width,
            height=decoded.height,
            seconds_decode=ready - begin,
            seconds_model=done - ready,
            profile_use=decoded.profile_use,
        )

    def assess_all(
        self, photos: Iterable[PhotoSource], *, workers: int | None = None
    ) -> Iterator[Assessment | RejectedPhoto]:
        """Assess many photos, in the order given; one that cannot be read never stops the rest.

        Args:
            photos: taken one by one as workers get free, so a generator may be endless.
            workers: threads, each with one photo in memory; by default one per usable core,
                at most 4.

        Raises:
            OptionError: ``workers`` is not a whole number from 1, or ``photos`` is one photo.
        """
        if workers is None:
            workers = default_workers()
        if not isinstance(workers, int) or workers < 1:
            raise OptionError(f"workers is {workers!r}; it must be a whole number, 1 or more")
        if is_photo_source(photos):
            raise OptionError(
                f"received one photo ({type(photos).__name__}); give a list or another iterable of "
                "photos, or use assess for one"
            )
        return map_in_order(self._assess_or_reject, photos, workers)

    def _assess_or_reject(self, photo: PhotoSource) -> Assessment | RejectedPhoto:
        try:
            return self.assess(photo)
        except PhotoError as error:
            return RejectedPhoto(error.photo, error.reason, error.message)


def should_enhance(photo: PhotoSource, threshold: float = DEFAULT_THRESHOLD) -> bool:
    """Return whether the packaged model's score of a photo reaches the threshold.

    Args:
        photo: path, bytes, binary file, PIL image or (H, W, 3) uint8 RGB array.
        threshold: of the score; see ``Assessment.score``.

    Raises:
        PhotoError: the photo cannot be read.
        OptionError: the threshold is not a finite number.

    Example:
        >>> should_enhance("IMG_0042.jpg")  # doctest: +SKIP
        True
    """
    return _packaged().assess(photo).score >= check_threshold(threshold)


def check_threshold(threshold: float) -> float:
    """Return the threshold as a float, or raise OptionError if it is not a finite float32."""
    try:
        value = float(threshold)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not abs(value) <= MAX_THRESHOLD:
        raise OptionError(f"threshold is {threshold!r}; it must be a finite number, like 0.4")
    return value


@functools.cache
def _packaged() -> Trigger:
    return Trigger()


def _sentence(score: float, threshold: float, enhance: bool) -> str:
    if enhance:
        return (
            f"Enhancing should make this photo look clearly better: its score {score:.2f} "
            f"reaches the threshold {threshold:.2f}."
        )
    digits = 2
    while round(score, digits) >= round(threshold, digits):
        digits += 1  # so that a score below the threshold also reads as below it
    return (
        f"Enhancing would hardly improve this photo: its score {score:.{digits}f} "
        f"is below the threshold {threshold:.{digits}f}."
    )
