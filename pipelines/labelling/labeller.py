"""Label the photos of one shard, whichever engine asks for it.

A label depends on nothing but its photo and its recipe; so a shard that is labelled twice, by
whichever engine, writes the same bytes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from pipelines.data.enhanced_copies import (
    ENHANCED_EXTENSIONS,
    EnhancedFormat,
    decode_enhanced,
    encode_enhanced,
)
from pipelines.data.label_files import write_labels
from pipelines.data.label_schema import Recipe
from pipelines.data.labels import enhanced_file
from pipelines.data.pixels import Pixels
from pipelines.data.rejects import Reject, reject_file, storable, write_rejects
from pipelines.data.storage import Folder, read_photo_file
from pipelines.enhancers import Enhancer, enhance_pixels, load_enhancer
from pipelines.labelling.plan import Shard
from pipelines.labelling.time_limit import TimeLimitedThread, TimeLimitError
from pipelines.scorers import Scorer, checked_opinions, load_scorer, mean_score
from trigger.errors import EnhancerError, ModelError, OptionError, PhotoError
from trigger.photo import photo_hash, read_photo
from trigger.photo.color import ProfileUse

T = TypeVar("T")
Clock = dict[str, float]
Models = tuple[list[Enhancer], Scorer]
STAGES = ("decode", "enhance", "score", "encode", "write")
MAX_HUNG_THREADS = 4


@dataclass(frozen=True)
class Job:
    """Settings that all shards of one run share.

    Attributes:
        folder: location of the labels folder.
        enhancers: arguments for ``load_enhancer``.
        scorer: argument for ``load_scorer``.
        recipes: one for each enhancer, in the same order.
        enhanced_format: file format of enhanced photos; None: they are not stored.
        seconds: time limit of each step of a photo (decoding, or one enhancer).
    """

    folder: str
    enhancers: tuple[str, ...]
    scorer: str
    recipes: tuple[Recipe, ...]
    enhanced_format: EnhancedFormat | None
    seconds: float


@dataclass
class ShardReport:
    """Result of one shard: numbers of labels and of rejects by reason, and seconds by stage.

    Photos with a broken ICC profile, which were taken for sRGB, are counted, too.
    """

    labelled: int = 0
    broken_profiles: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))


def load_models(enhancers: Sequence[str], scorer: str) -> Models:
    """Load by name, file or factory.

    Raises:
        OptionError: a name is unknown, or two enhancers have the same name.
    """
    loaded = [load_enhancer(spec) for spec in enhancers]
    names = [enhancer.name for enhancer in loaded]
    if len(set(names)) < len(names):
        raise OptionError(
            f"enhancers {list(enhancers)} have the names {names}; labels need different ones: "
            "rename a file"
        )
    return loaded, load_scorer(scorer)


def recipes_of(enhancers: list[Enhancer], scorer: Scorer) -> tuple[Recipe, ...]:
    """Return the recipes of labels made with these models."""
    return tuple(
        Recipe(enhancer.name, enhancer.version, scorer.name, scorer.version, scorer.preprocessing)
        for enhancer in enhancers
    )


class Labeller:
    """Labels shards one after the other, with its own models."""

    def __init__(self, job: Job, models: Models | None = None) -> None:
        """``models`` are those of the job, if they are loaded already."""
        self.job = job
        self._folder = Folder(job.folder)
        self._hung: list[TimeLimitedThread] = []
        self._start(models)

    def label(self, shard: Shard) -> ShardReport:
        """Label the photos of a shard one by one and write the results, the labels last.

        A photo that cannot be labelled becomes a reject with a reason: a ``PhotoReason``, "changed"
        (since it was listed), "timeout", or the stage that failed. Errors in writing are not the
        photo's fault and end the job.

        Raises:
            DataError: the labels folder cannot be written.
            EnhancerError: models hang on one photo after the other.
        """
        report = ShardReport()
        rows: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        for photo, path in shard.photos:
            try:
                opened = self._open(photo, path, report)
            except _RejectedError as error:
                rejects.append(Reject(photo, path, "", error.reason, error.message))
                continue
            report.broken_profiles += opened.profile_use == "broken"
            for name in shard.enhancers:
                try:
                    rows.append(self._measure(opened, name, report))
                except _RejectedError as error:
                    rejects.append(Reject(photo, path, name, error.reason, error.message))
        if rejects:
            write_rejects(self._folder, shard.name, rejects)
        else:  # delete those of an earlier attempt at this shard
            self._folder.delete([reject_file(shard.name)])
        write_labels(self._folder, shard.name, rows)
        report.labelled = len(rows)
        report.rejected.update(reject.reason for reject in rejects)
        return report

    def end(self) -> None:
        """End the thread; the labeller cannot be used afterwards."""
        self._thread.end()

    def _start(self, models: Models | None = None) -> None:
        enhancers, self._scorer = models or load_models(self.job.enhancers, self.job.scorer)
        here = recipes_of(enhancers, self._scorer)
        if here != self.job.recipes:
            raise ModelError(
                f"this worker has {'; '.join(map(str, here))}, the job was planned with "
                f"{'; '.join(map(str, self.job.recipes))}; install the same version of trigger "
                "on every machine"
            )
        self._enhancers = {enhancer.name: enhancer for enhancer in enhancers}
        self._recipes = {recipe.enhancer: recipe for recipe in here}
        self._thread = TimeLimitedThread()

    def _open(self, photo: str, path: str, report: ShardReport) -> _Opened:
        scorer = self._scorer
        return self._in_time(lambda clock: _open(photo, path, scorer, clock), "reading", report)

    def _measure(self, opened: _Opened, name: str, report: ShardReport) -> dict[str, Any]:
        enhancer, scorer, recipe = self._enhancers[name], self._scorer, self._recipes[name]
        stored_as = self.job.enhanced_format
        extension = ENHANCED_EXTENSIONS[stored_as] if stored_as else ""
        file = enhanced_file(recipe, opened.photo, extension)

        def work(clock: Clock) -> tuple[dict[str, Any], bytes]:
            enhanced, encoded = None, b""
            if stored_as == "png":
                with _stage("decode", clock):
                    enhanced = self._stored(file)
            if enhanced is None:
                with _stage("enhance", clock):
                    enhanced = enhance_pixels(enhancer, opened.pixels)
                if stored_as:
                    with _stage("encode", clock):
                        encoded = encode_enhanced(enhanced, stored_as)
            return _score(opened, enhanced, scorer, recipe, clock), encoded

        row, encoded = self._in_time(work, name, report)
        if encoded:
            start = time.perf_counter()
            self._folder.write(file, encoded)
            report.seconds["write"] += time.perf_counter() - start
        return row

    def _stored(self, file: str) -> Pixels | None:
        """Return the enhanced photo that an earlier run stored, if any."""
        try:
            return decode_enhanced(self._folder.read(file))
        except OSError:
            return None

    def _in_time(self, work: Callable[[Clock], T], what: str, report: ShardReport) -> T:
        clock: Clock = {}
        try:
            return self._thread.call(lambda: work(clock), self.job.seconds)
        except TimeLimitError:
            self._abandon_thread()
            raise _RejectedError(
                "timeout", f"{what} took longer than {self.job.seconds:g} s (--photo-seconds)."
            ) from None
        finally:
            for stage, seconds in clock.copy().items():
                report.seconds[stage] += seconds

    def _abandon_thread(self) -> None:
        self._hung = [*filter(TimeLimitedThread.is_alive, self._hung), self._thread]
        if len(self._hung) > MAX_HUNG_THREADS:
            raise EnhancerError(
                f"{len(self._hung)} photos take longer than {self.job.seconds:g} s and do not "
                "end; fix the enhancer, or allow more with --photo-seconds"
            )
        self._start()  # with new models: the abandoned call may still use these


class _RejectedError(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, eq=False)
class _Opened:
    photo: str
    path: str
    pixels: Pixels
    profile_use: ProfileUse
    opinions: npt.NDArray[np.float32]


@contextmanager
def _stage(name: str, clock: Clock) -> Iterator[None]:
    """Time a stage of one photo and turn every error in it into a reject."""
    start = time.perf_counter()
    try:
        yield
    except _RejectedError:
        raise
    except PhotoError as error:
        raise _RejectedError(error.reason, error.message) from error
    except (Exception, SystemExit) as error:  # models raise anything; no photo stops a job
        raise _RejectedError(name, f"{type(error).__name__}: {error}") from error
    finally:
        clock[name] = clock.get(name, 0) + time.perf_counter() - start


def _open(photo: str, path: str, scorer: Scorer, clock: Clock) -> _Opened:
    with _stage("decode", clock):
        data = read_photo_file(path)
        if photo_hash(data) != photo:
            raise _RejectedError("changed", "changed while the job ran; run it again.")
        decoded = read_photo(data, name=path)
        pixels, profile_use = decoded.pixels, decoded.profile_use
        del data, decoded
    with _stage("score", clock):
        return _Opened(photo, path, pixels, profile_use, checked_opinions(scorer, [pixels])[0])


def _score(
    opened: _Opened, enhanced: Pixels, scorer: Scorer, recipe: Recipe, clock: Clock
) -> dict[str, Any]:
    with _stage("score", clock):
        # Always one photo, never a batch: a batch of another size may change the last bits of a
        # score, and a photo's label would depend on its neighbors in the shard.
        opinions = opened.opinions  # of what was left as it was: the same, at no cost
        if not np.array_equal(enhanced, opened.pixels):
            opinions = checked_opinions(scorer, [enhanced])[0]
        before, after = mean_score(np.stack([opened.opinions, opinions]))
    return {
        "photo": opened.photo,
        "path": storable(opened.path),
        "width": opened.pixels.shape[1],
        "height": opened.pixels.shape[0],
        "input_score": before,
        "input_distribution": opened.opinions if len(opened.opinions) > 1 else None,
        "enhanced_score": after,
        "delta": after - before,
        **asdict(recipe),
    }
