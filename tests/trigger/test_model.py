from __future__ import annotations

import json
import shutil
import sys
import types
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import trigger
from trigger.errors import ModelError, OptionError
from trigger.litert import TfliteFunction
from trigger.model import load_model
from trigger.preprocessing import STANDARD

PACKAGED = Path(trigger.__file__).parent / "models" / "trigger.tflite"


@pytest.fixture(scope="module")
def images(photographs: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack([STANDARD.apply(photo) for photo in photographs.values()])


def test_the_packaged_model_scores_photographs(images: np.ndarray) -> None:
    model = load_model()
    scores = model.score(images)
    assert scores.shape == (len(images),)
    assert scores.dtype == np.float32
    assert scores.std() > 0.01  # it looks at the photos
    np.testing.assert_array_equal(scores[2:3], model.score(images[2:3]))
    assert model.score(images[:0]).shape == (0,)


def test_the_packaged_model_is_what_its_path_holds(images: np.ndarray) -> None:
    model = load_model()
    same = load_model(PACKAGED, sha256=model.sha256.upper())
    assert load_model("trigger").sha256 == same.sha256
    np.testing.assert_array_equal(model.score(images), same.score(images))


def test_threads_get_their_own_interpreter(images: np.ndarray) -> None:
    model = load_model()
    expected = model.score(images)
    with ThreadPoolExecutor(6) as pool:
        for scores in pool.map(lambda _: model.score(images), range(18)):
            np.testing.assert_array_equal(scores, expected)


def test_images_of_another_shape_or_type_are_refused() -> None:
    model = load_model()
    for bad in (np.zeros((1, 224, 224, 3), np.uint8), np.zeros((1, 448, 448, 3), np.float32)):
        with pytest.raises(OptionError, match=r"takes uint8 \['N', 448, 448, 3\]"):
            model.score(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.replace(b"score", b"other"), "not 'score'"),
        (lambda data: data.replace(b"improvability", b"deterioration"), "gives 1 value"),
        (lambda data: data.replace(b"upright-", b"sideway-"), "another preprocessing"),
        (lambda data: data[: len(data) // 2], "cannot be parsed"),
        (lambda _: b"\x89PNG and so on", "not a TFLite file"),
        (lambda _: b"", "not a TFLite file"),
    ],
)
def test_other_files_are_refused(change, message: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "changed.tflite"
    path.write_bytes(change(PACKAGED.read_bytes()))
    with pytest.raises(ModelError, match=message) as caught:
        load_model(path)
    assert str(path) in str(caught.value)


def test_a_file_that_does_not_name_its_preprocessing_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "silent.tflite"
    data = PACKAGED.read_bytes().replace(b"TRIGGER_PREPROCESSING", b"TRIGGER_SOMETHING_ELS")
    path.write_bytes(data.replace(b"upright-", b"sideway-"))
    assert load_model(path).name == str(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "none.tflite"}, "is missing"),
        ({"file": "altered.tflite"}, "was expected"),
        ({"preprocessing": "upright-bilinear-224-v1"}, "needs preprocessing upright-bilinear-224"),
    ],
)
def test_a_packaged_model_that_does_not_fit_its_record_is_refused(
    change: dict[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(PACKAGED.parent, tmp_path / "models")
    (folder / "altered.tflite").write_bytes(PACKAGED.read_bytes() + b"\0")
    record = json.loads((folder / "trigger.json").read_text())
    (folder / "trigger.json").write_text(json.dumps(record | change))
    monkeypatch.setattr("trigger.model.__file__", str(tmp_path / "model.py"))
    with pytest.raises(ModelError, match=message):
        load_model()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_score_that_is_no_number_is_an_error(value: float, images: np.ndarray) -> None:
    function = TfliteFunction.open(PACKAGED)
    said = {function.output_name: np.full((1, 1), value, np.float32)}
    function._runners.runner = lambda **_: said
    with pytest.raises(ModelError, match="not a finite number"):
        function(images[:1])


def test_missing_and_altered_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        load_model(tmp_path / "none.tflite")
    with pytest.raises(ModelError, match="Is a directory"):
        load_model(tmp_path)
    with pytest.raises(ModelError, match="0000 was expected"):
        load_model(PACKAGED, sha256="0" * 64)


def test_runtimes_are_tried_in_order(monkeypatch: pytest.MonkeyPatch, images: np.ndarray) -> None:
    from ai_edge_litert.interpreter import Interpreter

    expected = load_model().score(images)
    for name in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
        monkeypatch.setitem(sys.modules, name, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow says that LiteRT takes the place of its own
        np.testing.assert_allclose(load_model().score(images), expected, atol=1e-5)
    monkeypatch.setitem(sys.modules, "tensorflow.lite.python.interpreter", None)
    with pytest.raises(ModelError, match="pip install ai-edge-litert"):
        load_model()
    monkeypatch.setitem(sys.modules, "tflite_runtime", types.ModuleType("tflite_runtime"))
    fallback = types.SimpleNamespace(Interpreter=Interpreter)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", fallback)
    np.testing.assert_array_equal(load_model().score(images), expected)


def test_threads_must_be_positive() -> None:
    with pytest.raises(OptionError, match="threads is 0"):
        TfliteFunction.open(PACKAGED, threads=0)
