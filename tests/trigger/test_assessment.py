from __future__ import annotations

import io
import json
import math
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

import trigger
from trigger import Assessment, OptionError, PhotoError, RejectedPhoto, Trigger, should_enhance
from trigger.photo import PhotoSource


@pytest.fixture(scope="module")
def default() -> Trigger:
    return Trigger()


def blurred(photo: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(2.5)))


def noisy(photo: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 25, photo.shape)
    return np.clip(photo + noise, 0, 255).astype(np.uint8)


def compressed(photo: np.ndarray) -> np.ndarray:
    content = io.BytesIO()
    Image.fromarray(photo).save(content, "JPEG", quality=8)
    return np.asarray(Image.open(content))


@pytest.mark.parametrize("degrade", [blurred, noisy, compressed])
def test_degraded_photos_have_more_to_gain(  # type: ignore[no-untyped-def]
    degrade, default: Trigger, photographs: dict[str, np.ndarray]
) -> None:
    gains = [
        default.assess(degrade(photo)).score - default.assess(photo).score
        for photo in photographs.values()
    ]
    assert np.mean(gains) > 0


def test_all_sources_of_a_photo_give_one_score(
    default: Trigger, coffee: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "coffee.png"
    Image.fromarray(coffee).save(path)
    with path.open("rb") as file, Image.open(path) as image:
        sources: list[PhotoSource] = [path, str(path), path.read_bytes(), file, image, coffee]
        assert len({default.assess(source).score for source in sources}) == 1


def test_turning_a_photo_by_exif_changes_nothing(default: Trigger, coffee: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = io.BytesIO()
    Image.fromarray(np.rot90(coffee)).save(sideways, "PNG", exif=exif)
    assert default.assess(sideways.getvalue()).score == default.assess(coffee).score


def test_a_reduced_jpeg_scores_nearly_like_the_whole_one(
    default: Trigger, photographs: dict[str, np.ndarray]
) -> None:
    differences = []
    for photo in photographs.values():
        content = io.BytesIO()
        Image.fromarray(photo).resize((2700, 1800), Image.Resampling.BICUBIC).save(content, "JPEG")
        whole = np.asarray(Image.open(content))
        differences.append(default.assess(content.getvalue()).score - default.assess(whole).score)
    assert np.abs(differences).mean() < 0.03
    assert np.abs(differences).max() < 0.1


def test_an_assessment_says_what_it_decided(default: Trigger, coffee: np.ndarray) -> None:
    begin = time.perf_counter()
    assessment = default.assess(coffee, name="my coffee")
    took = time.perf_counter() - begin
    assert (assessment.photo, assessment.width, assessment.height) == ("my coffee", 600, 400)
    assert assessment.enhance == (assessment.score >= assessment.threshold == 0.4)
    assert f"{assessment.score:.2f}" in assessment.reason
    assert assessment.seconds_decode > 0
    assert assessment.seconds_model > 0
    assert assessment.seconds_decode + assessment.seconds_model <= took
    assert Assessment(**json.loads(json.dumps(assessment.to_json()))) == assessment


def test_raising_the_threshold_only_ever_removes_alerts(
    default: Trigger, photographs: dict[str, np.ndarray]
) -> None:
    for photo in photographs.values():
        score = default.assess(photo).score
        thresholds = sorted([-5.0, 0.0, 0.4, score, math.nextafter(score, math.inf), 5.0])
        answers = [should_enhance(photo, threshold) for threshold in thresholds]
        assert answers == sorted(answers, reverse=True)
        assert answers == [Trigger(t, default.model).assess(photo).enhance for t in thresholds]
        assert should_enhance(photo, score)


@pytest.mark.parametrize("threshold", [math.nan, math.inf, "high", None, 10**400])
def test_a_threshold_must_be_a_finite_number(threshold: float, coffee: np.ndarray) -> None:
    with pytest.raises(OptionError, match="finite number"):
        Trigger(threshold)
    with pytest.raises(OptionError, match="finite number"):
        should_enhance(coffee, threshold)


def test_broken_photos_are_recorded_in_their_place(
    default: Trigger, photographs: dict[str, np.ndarray], tmp_path: Path
) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("Dear diary")
    sources: list[PhotoSource] = []
    for photo in photographs.values():
        sources += [photo, tmp_path / "empty.jpg", tmp_path / "text.jpg", tmp_path / "gone.jpg"]
    for workers in (1, 3):
        results = list(default.assess_all(sources, workers=workers))
        scores = [result.score for result in results if isinstance(result, Assessment)]
        assert scores == [default.assess(photo).score for photo in photographs.values()]
        rejected = [result for result in results if isinstance(result, RejectedPhoto)]
        assert [r.reason for r in rejected] == ["empty", "not-a-photo", "missing"] * 8
        assert results[1] == rejected[0]
        assert rejected[0].to_json()["error"]["reason"] == "empty"
    with pytest.raises(PhotoError):
        default.assess(tmp_path / "gone.jpg")


def test_photos_are_taken_only_as_workers_get_free(default: Trigger, coffee: np.ndarray) -> None:
    taken = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal taken
        while True:
            taken += 1
            yield coffee

    results = default.assess_all(endless(), workers=2)
    for done in range(1, 6):
        next(results)
        assert taken <= done + 5
    results.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("workers", [0, math.nan, "2"])
def test_workers_must_be_a_number_of_them(default: Trigger, workers: int) -> None:
    with pytest.raises(OptionError, match=f"workers is {workers!r}"):
        default.assess_all([], workers=workers)


@pytest.mark.parametrize(
    "photo",
    ["a.jpg", Path("a.jpg"), b"...", io.BytesIO(b"..."), np.zeros((4, 5, 3), np.uint8)],
    ids=["text", "path", "bytes", "file", "pixels"],
)
def test_one_photo_is_no_list_of_photos(default: Trigger, photo: PhotoSource) -> None:
    with pytest.raises(OptionError, match="received one photo"):
        default.assess_all(photo)  # type: ignore[arg-type]


def test_what_stays_below_the_threshold_reads_so(default: Trigger, coffee: np.ndarray) -> None:
    score = default.assess(coffee).score
    reason = Trigger(score + 2e-4, default.model).assess(coffee).reason
    below, threshold = map(float, re.findall(r"-?\d\.\d+", reason))
    assert below < threshold


def test_the_public_names_are_documented() -> None:
    for name in trigger.__all__:
        assert getattr(trigger, name).__doc__


def test_embedding_stays_light(coffee: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(coffee).save(tmp_path / "photo.jpg")
    code = (
        "import sys, trigger\n"
        "assert 'ai_edge_litert' not in sys.modules\n"
        "trigger.should_enhance(sys.argv[1])\n"
        "heavy = {'tensorflow', 'keras', 'apache_beam', 'pandas', 'scipy', 'pipelines'}\n"
        "assert not heavy & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "photo.jpg")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
