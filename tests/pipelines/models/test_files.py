"""Model files of any origin become the same kind of function, with names that last."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from pipelines.models.files import is_model_file, load_model_file, safe_name
from trigger.errors import ModelError, OptionError


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same function as "twice" (SavedModel) and "twice.tflite"."""
    import tensorflow as tf

    class Twice(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = tf.Variable(2.0)

        @tf.function(input_signature=[tf.TensorSpec([None, 4, None, 3], tf.float32, name="photo")])
        def __call__(self, photo: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"b_10": photo * self.factor, "b_9": tf.reduce_mean(photo, axis=[1, 2])}

    folder = tmp_path_factory.mktemp("models")
    module = Twice()
    function = module.__call__.get_concrete_function()
    tf.saved_model.save(module, str(folder / "twice"), signatures={"serving_default": function})
    tf.saved_model.save(module, str(folder / "silent"), signatures={})
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
    (folder / "twice.tflite").write_bytes(converter.convert())
    return folder


@pytest.mark.parametrize("name", ["twice", "twice.tflite"])
def test_the_function_is_the_same_in_every_format(models: Path, name: str) -> None:
    function = load_model_file(str(models / name))
    assert function.name == "twice"
    assert function.input.shape == (None, 4, None, 3)
    assert function.input.dtype == np.float32
    assert len(function.outputs) == 2
    batches = np.random.default_rng(0).random((8, 2, 4, 5, 3), np.float32)
    with ThreadPoolExecutor(4) as pool:  # also sizes that change from call to call
        for batch, results in zip(batches, pool.map(function, batches), strict=True):
            full = next(result for result in results if result.ndim == 4)
            np.testing.assert_array_equal(full, 2 * batch)
    assert function(batches[0, :, :, :1])[0].shape[0] == 2
    with pytest.raises(OptionError, match=r"takes .*photo.*float32 \[any, 4, any, 3\]"):
        function(batches[0].astype(np.float64))


def test_outputs_come_in_the_order_of_their_numbers(models: Path) -> None:
    function = load_model_file(models / "twice")
    assert [tensor.name for tensor in function.outputs] == ["b_9", "b_10"]


def test_the_version_follows_content_not_place(models: Path, tmp_path: Path) -> None:
    version = load_model_file(models / "twice").version
    moved = shutil.copytree(models / "twice", tmp_path / "moved")
    assert load_model_file(moved).version == version
    (moved / "assets").mkdir(exist_ok=True)
    (moved / "assets" / "note").write_text("changed")
    assert load_model_file(moved).version != version


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gone.tflite", "cannot be read"),
        ("junk.tflite", "cannot be parsed"),
        ("gone", "holds no saved_model.pb"),
        ("empty", "holds no saved_model.pb"),
        ("junk", "is damaged"),
        ("silent", "not 'serving_default'"),
    ],
)
def test_what_is_no_model_is_said(models: Path, name: str, words: str) -> None:
    (models / "junk.tflite").write_bytes(b"\x1c\0\0\0TFL3 and then nothing")
    (models / "empty").mkdir(exist_ok=True)
    (models / "junk").mkdir(exist_ok=True)
    (models / "junk" / "saved_model.pb").write_bytes(b"junk")
    with pytest.raises(ModelError, match=words):
        load_model_file(models / name)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("https://tfhub.dev/google/maxim/s-2_deblurring_gopro/1", "s-2_deblurring_gopro"),
        ("https://example.org/model?format=compressed", "model"),
        ("models/My photo fixer.v2.tflite", "My-photo-fixer.v2"),
        ("models/fixer/", "fixer"),
        ("/", "model"),
    ],
)
def test_names_are_fit_for_labels_and_folders(source: str, name: str) -> None:
    assert safe_name(source) == name


def test_specs_that_are_files_are_known(tmp_path: Path) -> None:
    assert is_model_file("https://tfhub.dev/google/maxim/1")
    assert is_model_file("missing.tflite")
    assert is_model_file(str(tmp_path))
    assert not is_model_file("classical")


def test_handles_are_downloaded_once(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    shutil.make_archive(str(tmp_path / "model" / "1"), "tar", models / "twice")
    (tmp_path / "model" / "1.tar").rename(tmp_path / "model" / "1")
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        handle = f"http://127.0.0.1:{server.server_port}/model/1"
        function = load_model_file(handle)
        with pytest.raises(ModelError, match="cannot be fetched"):
            load_model_file(f"http://127.0.0.1:{server.server_port}/gone/1")
        server.shutdown()
    assert function.name == "model"
    assert load_model_file(handle).version == function.version
