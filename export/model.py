"""Export a trained network to a TFLite file that is checked before it is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata as packages
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trigger.assessment import DEFAULT_THRESHOLD, check_threshold
from trigger.errors import DataError, ModelError, OptionError
from trigger.files import write_atomically
from trigger.preprocessing import STANDARD

if TYPE_CHECKING:  # they import TensorFlow
    from export.flatfile import Precision
    from export.parity import Parity, Pixels


@dataclass(frozen=True)
class ExportReport:
    """An exported file and how well it agrees with its network.

    Attributes:
        name: of the model.
        version: of the model.
        file: name of the TFLite file.
        sha256: of the TFLite file, in hexadecimal.
        size_bytes: of the TFLite file.
        precision: of the large weights.
        parameters: of the Keras network.
        preprocessing: version that photos must have been through.
        source: file name and SHA-256 of the ``.keras`` file.
        parity: scores of the network and of the file, compared.
        unreadable_photos: why photos could not be compared on.
    """

    name: str
    version: str
    file: str
    sha256: str
    size_bytes: int
    precision: Precision
    parameters: int
    preprocessing: str
    source: dict[str, str]
    parity: Parity
    unreadable_photos: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return all figures, ready for ``json.dumps``."""
        return {
            "name": self.name,
            "version": self.version,
            "file": self.file,
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "precision": self.precision,
            "parameters": self.parameters,
            "preprocessing": self.preprocessing,
            "source": self.source,
            "passed": self.parity.failure is None,
            "parity": self.parity.to_json() | {"unreadable_photos": [*self.unreadable_photos]},
        }


def export_model(
    model: Path,
    out: Path,
    *,
    precision: Precision = "float16",
    photos: Path | None = None,
    threshold: float = DEFAULT_THRESHOLD,
    name: str | None = None,
    version: str | None = None,
    card: Path | None = None,
    report: Path | None = None,
) -> ExportReport:
    """Convert a trained ``.keras`` network to TFLite, compare the two, then write the file.

    Args:
        model: the ``.keras`` file of a trigger or a scorer.
        out: the TFLite file to write.
        precision: of the large weights.
        photos: folder of photos to compare on; by default those that scikit-image and
            scikit-learn ship.
        threshold: score from which a photo is worth enhancing, stored in the file of a trigger.
        name: of the model; by default that of its kind.
        version: of the model; by default that of this package.
        card: model card (Markdown) to pack into the file.
        report: where to write the report as JSON, also if the comparison fails.

    Raises:
        OptionError: the threshold is not finite, or no photo can be read.
        DataError: the card cannot be read, or a file cannot be written.
        ModelError: the ``.keras`` file holds no network of this project, or the TFLite file has
            no weights, another interface or other scores. Nothing is written to ``out``.

    Example:
        >>> from pathlib import Path
        >>> from export import export_model
        >>> exported = export_model(Path("finetuned.keras"), Path("gain.tflite"))  # doctest: +SKIP
        >>> exported.parity.max  # doctest: +SKIP
        0.0031
    """
    from export.flatfile import check_file
    from export.metadata import Description, add_metadata
    from export.network import kernel_values, load_network, output_of, score_photos
    from export.parity import compare
    from export.tflite import convert
    from trigger.litert import TfliteFunction

    threshold = check_threshold(threshold)
    text = _read_card(card) if card else None
    network = load_network(model)
    output = output_of(network)
    description = Description(
        name=name or output.network,
        version=version or packages.version("trigger"),
        output=output,
        threshold=threshold if output.decides else None,
        card=text,
    )
    tflite = add_metadata(convert(network, precision), description)
    check_file(tflite, output, precision, kernel_values(network))
    unreadable: list[str] = []
    parity = compare(
        lambda images: score_photos(network, images),
        TfliteFunction(tflite),
        _photos(photos, unreadable),
        output,
        precision,
        threshold,
    )
    exported = ExportReport(
        name=description.name,
        version=description.version,
        file=out.name,
        sha256=hashlib.sha256(tflite).hexdigest(),
        size_bytes=len(tflite),
        precision=precision,
        parameters=network.count_params(),
        preprocessing=STANDARD.version,
        source={"file": model.name, "sha256": hashlib.sha256(model.read_bytes()).hexdigest()},
        parity=parity,
        unreadable_photos=tuple(unreadable),
    )
    if report:
        write_atomically(report, json.dumps(exported.to_json(), indent=2).encode() + b"\n")
    if parity.failure:
        raise ModelError(parity.failure)
    write_atomically(out, tflite)
    return exported


def _photos(folder: Path | None, unreadable: list[str]) -> Iterator[tuple[str, Pixels]]:
    from export.parity import photos_in, sample_photos

    if folder is None:
        return sample_photos()
    if not folder.is_dir():
        raise OptionError(f"{folder}: no such folder; give a folder of photos")
    return photos_in(folder, unreadable)


def _read_card(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"card {path}: not a readable text file ({error})") from error
