"""Scorers from model files, and the labels they make."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from label_helpers import label, use_models, write_photos

from pipelines.data.labels import read_labels
from pipelines.scorers import checked_opinions, load_scorer, mean_score
from trigger.errors import ModelError, OptionError, ScorerError

Pixels = npt.NDArray[np.uint8]
GRAY = [np.full((40, 60, 3), level, np.uint8) for level in (0, 51, 255)]
SCORES = [1.0, 2.8, 10.0]  # of a model that says 10 as often as the photo is bright, else 1


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of one meaning and many interfaces."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("models")

    def save(
        name: str,
        gives: str,
        black: float = -1,
        white: float = 1,
        sides: tuple[int | None, ...] = (8, 8),
        lite: bool = True,
    ) -> None:
        dtype = tf.uint8 if white == 255 else tf.float32

        @tf.function(input_signature=[tf.TensorSpec((None, *sides, 3), dtype, name="photo")])
        def score(photo: tf.Tensor) -> tf.Tensor:
            values = (tf.cast(photo, tf.float32) - black) / (white - black)
            bright = tf.reduce_mean(values, axis=[1, 2, 3])[:, None]
            match gives:
                case "shares":
                    return tf.one_hot([0], 10) * (1 - bright) + tf.one_hot([9], 10) * bright
                case "mean":
                    return 1 + 9 * bright
                case "percent":
                    return 99 * bright
            return values

        module = tf.Module()
        module.score = score
        tf.saved_model.save(module, str(folder / name))
        if lite:
            converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / name))
            (folder / f"{name}.tflite").write_bytes(converter.convert())

    save("shares", "shares")
    save("mean", "mean", 0)
    save("any-size", "mean", 0, 255, (None, None))
    save("wide", "mean", sides=(8, 16), lite=False)
    save("percent", "percent", lite=False)
    save("picture", "picture", lite=False)
    return folder


@pytest.mark.parametrize(
    "spec",
    [
        "shares",
        "shares.tflite#range=-1..1",
        "mean#range=0..1",
        "mean.tflite#size=8,range=0..1",
        "any-size#size=8",
        "any-size.tflite#size=12",
    ],
)
def test_photos_are_prepared_as_the_model_wants_them(models: Path, spec: str) -> None:
    scorer = load_scorer(f"{models}/{spec}")
    opinions = checked_opinions(scorer, GRAY)
    assert opinions.shape == (3, 10 if scorer.name == "shares" else 1)
    np.testing.assert_allclose(mean_score(opinions), SCORES, atol=1e-5)


def test_what_changes_scores_changes_name_version_or_preprocessing(models: Path) -> None:
    specs = ["shares", "shares.tflite", "shares#range=0..1", "mean", "any-size#size=8"]
    scorers = [load_scorer(f"{models}/{spec}") for spec in [*specs, "any-size#size=12"]]
    identities = {(scorer.name, scorer.version, scorer.preprocessing) for scorer in scorers}
    assert len(identities) == len(scorers)


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("shares#size=9", ModelError, "not 9x9"),
        ("shares#side=8", OptionError, "'side=8' is no option"),
        ("any-size", OptionError, "any-size#size=PIXELS"),
        ("any-size#size=8,range=0..1", OptionError, "leave out range"),
        ("mean#range=1..1", OptionError, "black must get a lower number"),
        ("wide", ModelError, "made square"),
        ("picture", ModelError, "gives .*8, 8, 3"),
        ("gone.tflite", ModelError, "gone.tflite': the model cannot be read"),
    ],
)
def test_what_is_no_scorer_is_said(
    models: Path, spec: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        load_scorer(f"{models}/{spec}")


def test_means_on_another_scale_are_an_error(models: Path) -> None:
    with pytest.raises(ScorerError, match=r"returned 0 to 99; a mean opinion is from 1 to 10"):
        checked_opinions(load_scorer(f"{models}/percent"), GRAY)


def test_labels_of_two_scorers_are_kept_apart(
    models: Path,
    photographs: Mapping[str, Pixels],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_models(monkeypatch)
    photos = write_photos(tmp_path / "photos", photographs)
    for scorer in ("shares", "mean#range=0..1"):
        label(photos, tmp_path / "labels", scorer=f"{models}/{scorer}", enhanced_format=None)
    shares = read_labels(tmp_path / "labels", scorer="shares")
    means = read_labels(tmp_path / "labels", scorer=f"mean {load_scorer(f'{models}/mean').version}")
    np.testing.assert_allclose(means["delta"], shares["delta"], atol=1e-4)
    assert (shares["delta"] > 0).all()
    assert shares["input_distribution"].map(len).eq(10).all()
    assert means["input_distribution"].isna().all()
