"""Enhancers are found by name, by file and by factory, and errors name what is wrong with them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pipelines.enhancers import ENHANCERS, Registered, enhance_pixels, load_enhancer
from pipelines.labelling.labeller import load_models
from trigger.cli.app import main
from trigger.errors import EnhancerError, MissingExtra, ModelError, OptionError

Photo = npt.NDArray[np.float32]


class Numbered:
    name, version = "numbered", 1

    def enhance(self, photo: Photo) -> Photo:
        return photo


class Inverting:
    name, version, tile_multiple = "invert", "1", 8

    def enhance(self, photo: Photo) -> Photo:
        assert photo.shape[0] % 8 == photo.shape[1] % 8 == 0
        return 1 - photo


AlsoInverting = Inverting


class Nameless:
    version, tile_multiple = "1", 1


class Uninstalled:
    def __init__(self) -> None:
        raise ModelError("the weights are missing; get them with: fetch them")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SavedModels and TFLite files of networks of fixed and free sizes."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("models")

    def save(name: str, shape: list[int | None], dtype: tf.DType, function: object) -> None:
        module = tf.Module()
        module.call = tf.function(
            function, input_signature=[tf.TensorSpec(shape, dtype, name="photo")]
        )
        concrete = module.call.get_concrete_function()
        tf.saved_model.save(module, str(folder / name), signatures={"serving_default": concrete})
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
        (folder / f"{name}.tflite").write_bytes(converter.convert())

    def stages(photo: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"stage_2": photo / 2, "stage_10": 1 - photo, "half": photo[:, ::2, ::2] * 1.0}

    def inverted(photo: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"out": tf.cast(255 - tf.cast(photo, tf.int32), tf.uint8)}

    def rounded(photo: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"out": tf.cast(255.5 - 255 * photo, tf.uint8)}

    save("stages", [1, 64, 32, 3], tf.float32, stages)
    save("fixed", [1, 64, 32, 3], tf.float32, lambda photo: {"out": 1 - photo})
    save("mixed", [1, 64, 32, 3], tf.float32, rounded)
    save("free", [1, None, None, 3], tf.uint8, inverted)
    save("wide", [1, 64, None, 3], tf.uint8, inverted)
    save("nan", [1, 64, 64, 3], tf.float32, lambda photo: {"out": photo / 0})
    save("score", [1, 64, 64, 3], tf.float32, lambda photo: {"out": tf.reduce_mean(photo, [1, 2])})
    save("half", [1, 64, 64, 3], tf.float32, lambda photo: {"out": photo[:, ::2, ::2] * 1.0})
    return folder


@pytest.mark.parametrize("name", ["stages", "fixed.tflite", "mixed", "free", "free.tflite", "wide"])
@pytest.mark.parametrize("shape", [(70, 100), (5, 3), (64, 32)])
def test_model_files_enhance_photos_of_any_size(
    models: Path, name: str, shape: tuple[int, int]
) -> None:
    enhancer = load_enhancer(str(models / name))
    assert enhancer.name == name.removesuffix(".tflite")
    assert len(enhancer.version) == 12
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert (enhance_pixels(enhancer, pixels) == 255 - pixels).all()


def test_models_that_do_not_return_photos_are_errors(models: Path) -> None:
    for name in ("score", "half.tflite"):
        with pytest.raises(ModelError, match="returns a photo of the same size"):
            load_enhancer(str(models / name))
    with pytest.raises(EnhancerError, match="not finite"):
        enhance_pixels(load_enhancer(str(models / "nan")), np.zeros((9, 9, 3), np.uint8))


def test_factories_are_imported_and_their_multiples_respected() -> None:
    enhancer = load_enhancer(f"{__name__}:Inverting")
    pixels = np.random.default_rng(0).integers(0, 256, (13, 8, 3), np.uint8)
    assert (enhance_pixels(enhancer, pixels) == 255 - pixels).all()


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("magic", OptionError, "known enhancers: classical, "),
        ("no_such_package.module:factory", OptionError, "no module 'no_such_package'"),
        (f"{__name__}:Nothing", OptionError, "no attribute 'Nothing'"),
        (f"{__name__}:Nameless", EnhancerError, "needs name and version"),
        (f"{__name__}:Numbered", EnhancerError, r"version \(text of letters"),
        ("json:loads", EnhancerError, r"factory failed \(TypeError: "),
        ("gone.tflite", ModelError, "cannot be read"),
    ],
)
def test_wrong_specs_say_what_is_right(spec: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        load_enhancer(spec)


def test_every_registered_name_is_that_of_its_enhancer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    factories = {"invert": "Inverting", "uninstalled": "Uninstalled", "gone": "Uninstalled"}
    for name, factory in factories.items():
        entry = Registered(f"{__name__}:{factory}", "nothing", 1, 1, "MIT", "fetched")
        monkeypatch.setitem(ENHANCERS, name, entry)
    assert main(["enhancers", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == set(ENHANCERS)
    ready, missing = rows["invert"], rows["uninstalled"]
    assert (ready["version"], ready["tile_multiple"]) == ("1", 8)
    assert (missing["version"], missing["tile_multiple"]) == (None, None)
    assert "fetch them" in missing["problem"]
    for name, row in rows.items():
        if row["problem"] is None:
            assert load_enhancer(name).name == name
    assert rows["classical"]["problem"] is None
    assert main(["enhancers", "list"]) == 0
    output = capsys.readouterr().out
    assert "gone, uninstalled are not ready: the weights are missing" in output


def test_labels_tell_enhancers_apart_by_name() -> None:
    with pytest.raises(OptionError, match="need different ones"):
        load_models([f"{__name__}:Inverting", f"{__name__}:AlsoInverting"], "nima")


def test_what_comes_with_an_extra_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)  # as where it is not installed
    for name in (
        "pipelines.enhancers.classical.enhancer",
        "pipelines.enhancers.classical.shrinkage",
    ):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(MissingExtra, match=r"'cv2'.*pip install '\.\[pipelines\]'"):
        load_enhancer("classical")
