"""Damaged model files end in ModelError, never in a crash of this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.tools import flatbuffer_utils

import trigger
from trigger import model_check
from trigger.errors import ModelError
from trigger.model import Model, load_model
from trigger.model_check import checked_model
from trigger.model_check.graph import verify

PACKAGED = (Path(trigger.__file__).parent / "models" / "trigger.tflite").read_bytes()


def changed(change: Callable[[Any], None]) -> bytes:
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(PACKAGED))
    change(model)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def weights(model: Any) -> Any:
    """The first tensor with weights."""
    return next(t for t in model.subgraphs[0].tensors if model.buffers[t.buffer].data is not None)


def convolution(model: Any) -> Any:
    """The first convolution."""
    return next(o for o in model.subgraphs[0].operators if hasattr(o.builtinOptions, "strideW"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: setattr(m, "version", 4), "schema version"),
        (lambda m: setattr(weights(m), "buffer", 10**6), "cannot be parsed"),
        (lambda m: setattr(weights(m), "shape", [-1, 3]), "negative side"),
        (lambda m: setattr(weights(m), "shape", [2**31 - 1, 3]), "too large"),
        (lambda m: setattr(weights(m), "shape", [2**20, 3]), "bytes, not"),
        (lambda m: setattr(weights(m), "type", 99), "type 99 is unknown"),
        (lambda m: setattr(m.subgraphs[0].tensors[-1], "type", 10), "bytes, not"),
        (lambda m: setattr(convolution(m), "inputs", [0, -1]), "an input is missing"),
        (lambda m: setattr(convolution(m), "inputs", [0, 10**6]), "1000000.* do not exist"),
        (lambda m: setattr(convolution(m), "outputs", [-5]), "-5.* do not exist"),
        (lambda m: setattr(convolution(m), "opcodeIndex", 77), "its kind does not exist"),
        (lambda m: setattr(m.operatorCodes[0], "builtinCode", 9999), "9999 is unknown"),
        (lambda m: m.subgraphs[0].operators.reverse(), "before they are written"),
        (lambda m: m.subgraphs[0].operators.append(convolution(m)), "have values already"),
        (lambda m: setattr(convolution(m).builtinOptions, "strideW", 0), "strideW is 0"),
        (lambda m: setattr(convolution(m).builtinOptions, "padding", 9), "padding is 9"),
        (lambda m: setattr(m.subgraphs[0], "outputs", [10**6]), "1000000.* do not exist"),
        (lambda m: setattr(m.signatureDefs[0].inputs[0], "tensorIndex", 5), "names tensors"),
        (lambda m: setattr(m.signatureDefs[0], "subgraphIndex", 3), "has no graph"),
    ],
)
def test_what_does_not_fit_is_named(change: Callable[[Any], None], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        verify(changed(change))


def test_a_whole_model_scores_as_before() -> None:
    image = np.random.default_rng(0).integers(0, 255, (1, 448, 448, 3), np.uint8)
    checked = Model(PACKAGED, "checked")
    assert checked.score(image) == load_model().score(image)
    assert checked.sha256 == load_model().sha256


def test_a_byte_that_crashes_the_runtime_is_an_error() -> None:
    data = bytearray(PACKAGED)
    data[551553] ^= 0x80  # a segmentation fault in LiteRT 2.1
    with pytest.raises(ModelError, match=r"one\.tflite: the TFLite file"):
        checked_model(bytes(data), "one.tflite")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed the runtime"),
        ("import time; time.sleep(60)", "within 1 seconds"),
        ("raise SystemExit(3)", "crashed the runtime"),
    ],
)
def test_a_check_that_fails_in_its_process_is_an_error(
    code: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_check, "_COMMAND", code)
    monkeypatch.setattr(model_check, "SECONDS", 1)
    with pytest.raises(ModelError, match=message):
        checked_model(PACKAGED + code.encode(), "file")


def test_the_check_imports_nothing_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("numpy", "trigger", "struct", "ai_edge_litert"):
        (tmp_path / f"{module}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    assert checked_model(PACKAGED + b"another", "file")
    assert not (tmp_path / "ran").exists()
