"""``trigger export``: one Keras file in, one checked TFLite file out, or nothing."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from importlib import metadata as packages
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trigger.assessment import DEFAULT_THRESHOLD
from trigger.cli.options import check_output, finite_number
from trigger.console.quiet import native_messages_muted
from trigger.console.terminal import leave_out
from trigger.errors import DataError, ModelError, OptionError
from trigger.files import write_atomically

if TYPE_CHECKING:
    from export.parity import Parity


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options of ``trigger export``."""
    parser.description = (
        "Convert a trained .keras network to the TFLite file an app embeds. The file is written "
        "only if it holds all weights and scores photographs as the network does."
    )
    parser.epilog = "example: trigger export finetuned/finetuned.keras --out trigger.tflite"
    parser.add_argument(
        "model", type=Path, help="a .keras file of trigger train, finetune or train-scorer"
    )
    parser.add_argument("--out", type=Path, required=True, help="the TFLite file to write")
    parser.add_argument(
        "--precision",
        choices=("float16", "float32"),
        default="float16",
        help="of the weights: float16 to ship (default), float32 as reference at twice the size",
    )
    parser.add_argument(
        "--photos",
        type=Path,
        metavar="FOLDER",
        help="photos to compare Keras and TFLite on (default: the colour photographs that "
        "scikit-image and scikit-learn ship)",
    )
    parser.add_argument(
        "--threshold",
        type=finite_number,
        default=DEFAULT_THRESHOLD,
        metavar="SCORE",
        help="score from which a photo is worth enhancing, stored in the file (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--name", help="of the model (default: trigger, nima or alexnet-rank, by its output)"
    )
    parser.add_argument(
        "--model-version", metavar="TEXT", help="of the model (default: that of this package)"
    )
    parser.add_argument(
        "--card", type=Path, metavar="FILE", help="model card (Markdown) to pack into the file"
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write all figures there as JSON"
    )


def run(args: argparse.Namespace) -> int:
    """Export as the options say; 0 if the file was written.

    Raises:
        OptionError, DataError: an option names something that cannot be used.
        ModelError: the Keras file is no network of this project, or the TFLite file made from
            it has no weights, another interface or other scores. Nothing is written to --out.
    """
    _check_options(args)
    card = _read_card(args.card) if args.card else None
    with native_messages_muted():
        import tensorflow  # noqa: F401
    from export.flatfile import check_file
    from export.metadata import Description, add_metadata
    from export.parity import compare, photos_in, sample_photos
    from export.tflite import convert, kernel_values, load_network, output_of, score_photos
    from trigger.litert import TfliteFunction
    from trigger.preprocessing import STANDARD

    network = load_network(args.model)
    output = output_of(network)
    description = Description(
        name=args.name or output.network,
        version=args.model_version or packages.version("trigger"),
        output=output,
        threshold=args.threshold if output.decides else None,
        card=card,
    )
    tflite = add_metadata(convert(network, args.precision), description)
    check_file(tflite, output, args.precision, kernel_values(network))

    with native_messages_muted():
        function = TfliteFunction.open(tflite)
    rejected: list[str] = []
    photos = photos_in(args.photos, rejected) if args.photos else sample_photos()
    for problem in rejected:
        leave_out(problem)
    parity = compare(
        lambda images: score_photos(network, images),
        function,
        photos,
        output,
        args.precision,
        args.threshold,
    )
    report = {
        "name": description.name,
        "version": description.version,
        "file": args.out.name,
        "sha256": hashlib.sha256(tflite).hexdigest(),
        "size_bytes": len(tflite),
        "precision": args.precision,
        "parameters": network.count_params(),
        "preprocessing": STANDARD.version,
        "source": {"file": args.model.name, "sha256": _sha256(args.model)},
        "passed": parity.failure is None,
        "parity": parity.to_json() | {"unreadable_photos": rejected},
    }
    if args.report:
        write_atomically(args.report, json.dumps(report, indent=2).encode() + b"\n")
    if parity.failure:
        raise ModelError(parity.failure)
    write_atomically(args.out, tflite)
    sys.stdout.write(_summary(args.out, report, parity))
    return 0


def _summary(out: Path, report: dict[str, Any], parity: Parity) -> str:
    return (
        f"Keras against TFLite, difference of scores\n{parity.table()}\n"
        f"wrote   {out}\n"
        f"size    {report['size_bytes']:,} bytes, {report['precision']}, "
        f"{report['parameters']:,} parameters\n"
        f"sha256  {report['sha256']}\n"
    )


def _check_options(args: argparse.Namespace) -> None:
    if args.out.suffix != ".tflite":
        raise OptionError(f"--out {args.out}: the name must end in .tflite")
    if args.report is not None and args.report.suffix != ".json":
        raise OptionError(f"--report {args.report}: the name must end in .json")
    for option, path in (("--out", args.out), ("--report", args.report)):
        if path is not None:
            check_output(path, option)
    if args.photos is not None and not args.photos.is_dir():
        raise OptionError(f"--photos {args.photos}: no such folder; give a folder of photos")


def _read_card(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"--card {path}: not a readable text file ({error})") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
