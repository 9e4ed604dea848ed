"""Exported files score as the Keras network does and describe themselves, or are not written."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.data import astronaut, coffee

from export import metadata_schema
from export.flatfile import Precision, check_file, parse
from export.half import LARGE, large_float32
from export.metadata import Description, add_metadata, read_metadata
from export.network import kernel_values, score_photos
from export.parity import compare
from export.tflite import convert
from trigger.cli.app import main
from trigger.errors import ModelError
from trigger.interface import OUTPUTS
from trigger.litert import TfliteFunction
from trigger.preprocessing import STANDARD

TRIGGER = OUTPUTS["quality_improvability"]
NIMA = OUTPUTS["distribution"]
GREY = ("grey", np.full((8, 8, 3), 99, np.uint8))


def network(output: str = TRIGGER.name, side: int = 448, **head: object) -> keras.Model:
    """A small network of the trigger's or NIMA's interface, with a kernel worth halving."""
    keras.utils.set_random_seed(0)
    photo = keras.Input((side, side, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(photo)
    x = keras.layers.Conv2D(16, 3, strides=4)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.ReLU()(x)
    x = keras.layers.Conv2D(32, 3, strides=4, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    size, activation = (10, "softmax") if output == NIMA.name else (1, None)
    return keras.Model(photo, keras.layers.Dense(size, activation, name=output, **head)(x))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keras") / "network.keras"
    network().save(path)
    return path


@pytest.fixture(scope="module")
def tflite() -> bytes:
    return convert(network(), "float16")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(astronaut()).save(folder / "a.png")
    Image.fromarray(coffee()).save(folder / "b.jpg", quality=95)
    return folder


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(("precision", "most"), [("float16", 0.02), ("float32", 1e-4)])
def test_an_exported_file_is_the_network(
    output: str, precision: Precision, most: float, tmp_path: Path
) -> None:
    model, out, report = (tmp_path / name for name in ("m.keras", "m.tflite", "m.json"))
    expected = network(output)
    expected.save(model)
    options = ["--out", str(out), "--precision", precision, "--report", str(report)]
    assert main(["export", str(model), *options]) == 0

    function = TfliteFunction.open(out, signature="score")
    assert function.input_shape == (1, 448, 448, 3)
    assert (function.input_name, function.output_name) == ("image", output)
    unseen = np.stack([STANDARD.apply(coffee()[:, ::-1]), STANDARD.apply(astronaut()[::-1])])
    np.testing.assert_allclose(function(unseen), score_photos(expected, unseen), atol=most)

    found = read_metadata(out)
    decides = output == TRIGGER.name
    assert found.name == OUTPUTS[output].network
    assert found.output.threshold == (0.4 if decides else None)
    graph = parse(out.read_bytes())
    assert bool(large_float32(graph, graph.subgraphs[0])) == (precision == "float32")
    figures = json.loads(report.read_text())
    assert figures["passed"]
    assert figures["size_bytes"] == out.stat().st_size
    assert figures["parity"]["images"] == len(figures["parity"]["rows"]) == 24
    assert figures["parity"].get("threshold") == found.output.threshold
    assert figures["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert figures["source"]["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert 0 <= figures["parity"]["max_difference"] <= most < figures["parity"]["spread"]


class Untracked(tf.Module):
    """Exports a Keras 3 network the way that loses its variables."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.model = model

    @tf.function(input_signature=[tf.TensorSpec((1, 448, 448, 3), tf.uint8, "image")])
    def score(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {TRIGGER.name: self.model(image, training=False)}


def test_a_file_without_weights_is_refused(tmp_path: Path) -> None:
    model = network()
    module = Untracked(model)
    tf.saved_model.save(module, str(tmp_path), signatures={"score": module.score})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path), signature_keys=["score"])
    weightless = converter.convert()  # "succeeds"
    with pytest.raises(ModelError, match=r"no weights.*VAR_HANDLE"):
        check_file(weightless, TRIGGER, "float32", kernel_values(model))


def test_lost_or_unhalved_weights_and_other_outputs_are_refused(tflite: bytes) -> None:
    kernels = kernel_values(network())
    check_file(tflite, TRIGGER, "float16", kernels)
    with pytest.raises(ModelError, match="lost"):
        check_file(tflite, TRIGGER, "float16", 2 * kernels)
    with pytest.raises(ModelError, match="not float32"):
        check_file(tflite, TRIGGER, "float32", kernels)
    whole = convert(network(), "float32")
    with pytest.raises(ModelError, match="not float16"):
        check_file(whole, TRIGGER, "float16", kernels)
    assert len(tflite) < len(whole) - kernels  # no weight is stored twice, whole and halved
    model = parse(tflite)
    oldest = [entry.buffer for entry in model.metadata if entry.name == b"min_runtime_version"]
    assert [bytes(model.buffers[buffer].data[:7]) for buffer in oldest] == [b"1.15.0\0"]
    with pytest.raises(ModelError, match=r"quality_improvability.*expected.*distribution"):
        check_file(tflite, NIMA, "float16", kernels)
    for name, other in ((b"score", b"grade"), (b"image", b"photo")):
        with pytest.raises(ModelError, match=f"{other.decode()}.*expected.*{name.decode()}"):
            check_file(tflite.replace(name, other), TRIGGER, "float16", kernels)


def test_the_weights_of_another_network_fail_parity(tflite: bytes) -> None:
    other = network(kernel_initializer="ones")
    parity = compare(
        lambda images: score_photos(other, images),
        TfliteFunction(tflite),
        [("astronaut", astronaut())],
        TRIGGER,
        "float16",
        threshold=0.4,
    )
    assert parity.failure is not None
    assert "does not score photographs as the Keras network" in parity.failure


def test_decisions_that_flip_are_counted() -> None:
    ours, theirs = np.array([[0.39, 0.5, 0.3, 0.41], [0.41, 0.5, 0.3, 0.41]], np.float32)[..., None]
    parity = compare(lambda _: ours, lambda _: theirs, [GREY], TRIGGER, "float16", threshold=0.4)
    assert parity.flips == 1
    assert parity.to_json()["threshold"] == 0.4
    assert parity.max == pytest.approx(0.02)


def test_distributions_are_compared_by_their_means_and_share_by_share() -> None:
    score = np.eye(10, dtype=np.float32)
    ours = score[[0, 1, 2, 9]]
    parity = compare(lambda _: ours, lambda _: ours[::-1], [GREY], NIMA, "float16", threshold=0.4)
    assert [row.keras for row in parity.rows] == [1, 2, 3, 10]
    assert [row.difference for row in parity.rows] == [9, 1, 1, 9]
    sure = score[[1] * 4]
    split = np.float32(0.5) * (score[[0] * 4] + score[[2] * 4])  # of the same mean
    parity = compare(lambda _: sure, lambda _: split, [GREY], NIMA, "float16", threshold=0.4)
    assert parity.mean == parity.max == 1


@pytest.mark.parametrize(
    ("scale", "complaint"),
    [
        (3e3, "does not score photographs as the Keras network"),
        (1e9, "float16 holds"),
        (0.0, "scores all photographs alike"),
        (np.nan, "not finite"),
    ],
)
def test_nothing_is_written_unless_scores_agree(
    scale: float,
    complaint: str,
    photos: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    model, out = tmp_path / "m.keras", tmp_path / "m.tflite"
    out.write_bytes(b"the previous model")
    broken = network()
    large = next(layer for layer in broken.layers if layer.count_params() > LARGE)
    large.set_weights([weight * scale for weight in large.get_weights()])
    broken.save(model)
    report = tmp_path / "m.json"
    options = ["--out", str(out), "--photos", str(photos), "--report", str(report)]
    assert main(["export", str(model), *options]) == 1
    assert complaint in capfd.readouterr().err
    assert out.read_bytes() == b"the previous model"
    assert not report.exists() or not json.loads(report.read_text())["passed"]


def test_equal_input_gives_equal_bytes_and_the_card_travels(
    saved: Path, photos: Path, tmp_path: Path
) -> None:
    card = tmp_path / "card.md"
    card.write_text("# Mein Modell\n\nfür Fotos\n", encoding="utf-8")
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not really")
    files = [tmp_path / "1.tflite", tmp_path / "2.tflite"]
    described = ["--card", str(card), "--threshold", "0.7", "--model-version", "3.1"]
    described += ["--name", "gain"]
    for out in files:
        options = ["--out", str(out), "--photos", str(photos), "--report", str(out) + ".json"]
        assert main(["export", str(saved), *options, *described]) == 0
    assert files[0].read_bytes() == files[1].read_bytes()

    found = read_metadata(files[0])
    assert (found.name, found.version) == ("gain", "3.1")
    assert found.preprocessing == STANDARD.version
    assert (found.input.width, found.input.range) == (448, (0.0, 255.0))
    assert (found.output.name, found.output.threshold) == (TRIGGER.name, 0.7)
    assert found.card == card.read_text(encoding="utf-8")
    report = json.loads((tmp_path / "1.tflite.json").read_text())
    parity = report["parity"]
    assert (report["precision"], parity["images"], parity["threshold"]) == ("float16", 8, 0.7)
    assert [line for line in parity["unreadable_photos"] if "broken.jpg" in line]


@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    number=st.floats(-5, 5, width=32),
)
def test_metadata_round_trip(text: str, number: float) -> None:
    metadata = {
        "name": text,
        "subgraph_metadata": [
            {
                "output_tensor_metadata": [
                    {"name": text, "stats": {"max": [number, 1.0], "min": []}},
                    {"process_units": [{"options": {"NormalizationOptions": {"mean": [1.0]}}}]},
                ]
            },
            {},
        ],
        "associated_files": [],
    }
    packed = metadata_schema.pack(metadata)
    assert metadata_schema.unpack(packed) == metadata
    assert packed == metadata_schema.pack(metadata)


def test_metadata_leaves_the_model_as_it_was(tflite: bytes) -> None:
    described = add_metadata(tflite, Description("n", "1", TRIGGER, 0.4, None))
    images = STANDARD.apply(coffee())[None]
    assert TfliteFunction(described)(images) == TfliteFunction(tflite)(images)
    with zipfile.ZipFile(io.BytesIO(described)) as archive:
        assert b"No card was given" in archive.read("MODEL_CARD.md")
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)  # whenever it is made
    with pytest.raises(ModelError, match="already has metadata"):
        add_metadata(described, Description("n", "2", TRIGGER, 0.4, None))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damaged_files_have_no_metadata(
    data: st.DataObject, tflite: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = add_metadata(tflite, Description("n", "1", TRIGGER, 0.4, None))
    path = tmp_path_factory.getbasetemp() / "damaged.tflite"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ModelError, match=r"damaged\.tflite"):
        read_metadata(path)
    with pytest.raises(ModelError, match=r"no\.tflite"):
        read_metadata(path.with_name("no.tflite"))


def _text(path: Path) -> None:
    path.write_text("not a model")


def _truncated(path: Path) -> None:
    network().save(path)
    path.write_bytes(path.read_bytes()[:-200])


def _foreign_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", '{"class_name": "Nonsense"}')


def _arbitrary_code(path: Path) -> None:
    photo = keras.Input((448, 448, 3))
    x = keras.layers.Lambda(lambda x: x + 1)(photo)
    x = keras.layers.GlobalAveragePooling2D()(x)
    keras.Model(photo, keras.layers.Dense(1, name=TRIGGER.name)(x)).save(path)


@pytest.mark.parametrize(
    ("write", "complaint"),
    [
        (lambda path: None, "no such file"),
        (Path.mkdir, "is a directory"),
        (_text, "not a .keras file"),
        (_truncated, "not a .keras file"),
        (_foreign_zip, "Keras cannot load it"),
        (_arbitrary_code, "Keras cannot load it"),
        (lambda path: network("cats_or_dogs").save(path), "expected.*quality_improvability"),
        (lambda path: network(side=224).save(path), "224.*expected.*448"),
    ],
)
def test_other_files_are_refused(
    write: Callable[[Path], None],
    complaint: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    model, out = tmp_path / "model.keras", tmp_path / "out.tflite"
    write(model)
    assert main(["export", str(model), "--out", str(out)]) == 1
    message = capfd.readouterr().err
    assert message.startswith(f"trigger: {model}: ")
    assert re.search(complaint, message)
    assert not out.exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--out", "m.bin"],
        ["--out", "missing/m.tflite"],
        ["--out", "m.tflite", "--photos", "missing"],
        ["--out", "m.tflite", "--photos", "."],
        ["--out", "m.tflite", "--report", "m.txt"],
        ["--out", "m.tflite", "--threshold", "nan"],
        ["--out", "m.tflite", "--precision", "int8"],
    ],
)
def test_impossible_options_are_wrong_usage(
    options: list[str], saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(saved), *options]) == 2
    assert list(tmp_path.iterdir()) == []
