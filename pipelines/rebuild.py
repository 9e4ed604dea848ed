"""Rebuild the packaged models: ``python -m pipelines.rebuild DATA --out build``.

Runs the project's own commands one after another, each as a user would, and packages what they
made. Interrupted, it goes on where it stopped. DATA must hold::

    clean/       flawless photographs, in any subfolders
    unlabeled/   ordinary photographs as taken
    rated/live_challenge/   photos and mos.csv (image, mos_0_100, std)
    rated/tid2013/          kodakNN.png and mos.csv (kodak, type, level, mos_0_9)
    weights/mobilenet_v2_0.35_notop_dequant.weights.h5   ImageNet trunk to start from
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.cards import nima_card, trigger_card
from pipelines.networks import PACKAGED_TRUNK, cut_trunk, load_network
from pipelines.scorers.nima import MODELS as NIMA_MODELS
from trigger import cli
from trigger.assessment import DEFAULT_THRESHOLD
from trigger.errors import TriggerError
from trigger.files import write_atomically
from trigger.preprocessing import STANDARD

TRIGGER_MODELS = Path(cli.__file__).parent / "models"
TRIGGER_VERSION = "1"
NIMA_VERSION = "1"


@dataclass(frozen=True)
class Step:
    """One command and the file that proves that it was finished."""

    arguments: Sequence[str]
    result: Path

    def run(self) -> None:
        """Run the command unless its result is there."""
        if self.result.exists():
            return
        print("$", shlex.join(["trigger", *self.arguments]), flush=True)  # noqa: T201
        if cli.main(self.arguments) != 0:
            raise TriggerError(f"stopped: {shlex.join(self.arguments)} failed, see above")


def scorer_steps(data: Path, out: Path) -> list[Step]:
    """Train and convert the scorer."""
    rated = data / "rated"
    training = [
        *("train-scorer", "--live", str(rated / "live_challenge"), "--tid", str(rated / "tid2013")),
        *("--clean", str(data / "clean"), "--epochs", "8"),
        *("--init", str(data / "weights" / "mobilenet_v2_0.35_notop_dequant.weights.h5")),
        *("--out", str(out / "scorer")),
    ]
    export = [
        *("export", str(out / "scorer" / "nima.keras"), "--out", str(out / "nima.tflite")),
        *("--model-version", NIMA_VERSION),
    ]
    return [
        Step(training, out / "scorer" / "report.json"),
        Step(export, out / "nima.tflite"),
    ]


def trigger_steps(data: Path, out: Path) -> list[Step]:
    """Degrade, label, train, fine-tune and convert; the packaged scorer must be in place."""
    photos = [str(out / "degraded"), str(data / "unlabeled")]
    baseline, finetuned = out / "baseline", out / "finetuned"
    return [
        Step(
            ["degrade", str(data / "clean"), "--out", str(out / "degraded")],
            out / "degraded" / "degradations.csv",
        ),
        Step(
            ["label", *photos, "--out", str(out / "labels"), "--no-enhanced", "--workers", "2"],
            out / "labels" / "deltas.png",
        ),
        Step(
            [
                *("train", str(out / "labels"), "--out", str(baseline)),
                *("--init", str(out / "scorer" / "nima.keras"), "--epochs", "10"),
            ],
            baseline / "report.json",
        ),
        Step(
            ["tid-ratings", str(data / "rated" / "tid2013"), "--out", str(out / "ratings")],
            out / "ratings" / "ratings.csv",
        ),
        Step(
            [
                *("finetune", str(baseline / "baseline.keras")),
                *(str(out / "ratings" / "ratings.csv"), "--out", str(finetuned)),
            ],
            finetuned / "report.json",
        ),
        Step(
            [
                *("export", str(finetuned / "finetuned.keras")),
                *("--out", str(out / "trigger.tflite"), "--model-version", TRIGGER_VERSION),
            ],
            out / "trigger.tflite",
        ),
    ]


def package(
    source: Path, target: Path, name: str, version: str, commands: list[str], facts: dict[str, Any]
) -> None:
    """Copy a model file into the package with the record that it is loaded by."""
    content = source.read_bytes()
    write_atomically(target, content)
    record = {
        "name": name,
        "version": version,
        "file": target.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "preprocessing": STANDARD.version,
        **facts,
        "trained_by": commands,
    }
    text = json.dumps(record, indent=2) + "\n"
    write_atomically(target.with_suffix(".json"), text.encode())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder laid out as above")
    parser.add_argument("--out", type=Path, default=Path("build"), help="default: build")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    command = "python -m pipelines.rebuild DATA"
    for step in scorer_steps(args.data, args.out):
        step.run()
    scorer_report = json.loads((args.out / "scorer" / "report.json").read_text())
    del scorer_report["options"]
    package(
        args.out / "nima.tflite",
        NIMA_MODELS / "nima.tflite",
        "nima",
        NIMA_VERSION,
        [command],
        {"quality": scorer_report},
    )
    write_atomically(NIMA_MODELS / "NIMA.md", nima_card(scorer_report).encode())

    for step in trigger_steps(args.data, args.out):
        step.run()
    quality = {
        "baseline": json.loads((args.out / "baseline" / "report.json").read_text()),
        "finetuned": json.loads((args.out / "finetuned" / "report.json").read_text()),
    }
    del quality["baseline"]["options"]
    package(
        args.out / "trigger.tflite",
        TRIGGER_MODELS / "trigger.tflite",
        "trigger",
        TRIGGER_VERSION,
        [command],
        {"threshold": DEFAULT_THRESHOLD, "quality": quality},
    )
    write_atomically(TRIGGER_MODELS / "MODEL_CARD.md", trigger_card(quality).encode())
    trunk = cut_trunk(load_network(args.out / "finetuned" / "finetuned.keras"))
    trunk.save_weights(PACKAGED_TRUNK)
    print("packaged: nima.tflite, trigger.tflite, trunk.weights.h5")  # noqa: T201


if __name__ == "__main__":
    main()
