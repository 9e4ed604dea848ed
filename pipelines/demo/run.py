"""``trigger demo``: the whole chain on sample photographs, and a page that tells what came out.

The photographs lie in scikit-image and scikit-learn as files. They are copied byte for byte, so
that their hashes, and with them the scenes that are held out, are the same on every machine.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pipelines.demo.page import Chapter, Plot, page
from pipelines.demo.photos import RATINGS_FILE, collect_cards, derive_ratings
from pipelines.packaging.steps import run_command
from trigger.assessment import DEFAULT_THRESHOLD
from trigger.errors import DataError, OptionError
from trigger.files import write_atomically

PHOTOGRAPHS = {
    "skimage.data": (
        *("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg"),
        *("motorcycle_left.png", "hubble_deep_field.jpg"),
    ),
    "sklearn.datasets.images": ("china.jpg", "flower.jpg"),
}
"""File names by package; ``pipelines.data.splits`` holds out china and hubble_deep_field."""
MARKER = ".trigger-demo"
OUTPUTS = (
    *("photos", "degraded", "labels", "baseline", RATINGS_FILE, "finetuned", "trigger.tflite"),
    *("scores-demo.json", "scores-packaged.json", "pictures", "index.html"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``trigger demo``."""
    parser.description = (
        "Run the whole chain on the colour photographs that scikit-image and scikit-learn ship: "
        "degrade, label, train, fine-tune, export, score. Writes OUT/index.html with before/after "
        "pictures, scores and plots. Takes a few minutes on two cores and needs no network."
    )
    parser.epilog = "example: trigger demo --out demo-output"
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo-output"),
        help="a new or empty folder, or that of an earlier demo, which is then made anew "
        "(default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Run every step and write the page.

    Raises:
        OptionError: --out is a file, or a folder with something else in it.
        TriggerError: a step failed, and has said why.
    """
    out: Path = args.out
    prepare_folder(out)
    steps = make_steps(out)
    chapters = []
    for number, step in enumerate(steps, 1):
        print(f"\n{number}/{len(steps)}  {step.title}", flush=True)  # noqa: T201
        chapters.append(step.run())
    content = page(collect_cards(out), DEFAULT_THRESHOLD, chapters)
    write_atomically(out / "index.html", content.encode())
    seconds = sum(chapter.seconds for chapter in chapters)
    print(f"\n{seconds:.0f} s. Now open {(out / 'index.html').absolute()}")  # noqa: T201
    return 0


def prepare_folder(out: Path) -> None:
    """Make the demo's folder, or remove what an earlier demo wrote there, and nothing else.

    Raises:
        OptionError: it is a file, cannot be written, or holds what no demo wrote.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()) and not (out / MARKER).is_file():
            raise OptionError(
                f"--out {out} is not empty and was not made by a demo; name a new or empty folder"
            )
        (out / MARKER).write_text("trigger demo may replace what it wrote in this folder.\n")
        for path in map(out.joinpath, OUTPUTS):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise OptionError(
            f"--out {out} cannot be used ({error.strerror}); name a new folder where you may write"
        ) from error


def copy_photographs(folder: Path) -> None:
    """Copy the sample photographs, byte for byte.

    Raises:
        DataError: an installed package does not hold its photographs.
    """
    folder.mkdir()
    for package, names in PHOTOGRAPHS.items():
        for name in names:
            try:
                with resources.as_file(resources.files(package) / name) as source:
                    shutil.copyfile(source, folder / name)
            except FileNotFoundError as error:
                raise DataError(
                    f"the installed {package} has no {name}, one of the demo's photographs; "
                    f"reinstall with: pip install --force-reinstall scikit-image scikit-learn"
                ) from error


@dataclass(frozen=True)
class Step:
    """One step: commands as a user would give them, or work of the demo's own."""

    title: str
    about: str
    commands: tuple[tuple[str, ...], ...] = ()
    work: Callable[[], None] | None = None
    plot: Plot | None = None

    def run(self) -> Chapter:
        """Do it and return the account for the page.

        Raises:
            TriggerError: a command failed.
        """
        started = time.perf_counter()
        if self.work:
            self.work()
        shown = tuple(shlex.join(["trigger", *command]) for command in self.commands)
        for command in self.commands:
            run_command(command)
        return Chapter(self.title, self.about, shown, time.perf_counter() - started, self.plot)


def make_steps(out: Path) -> list[Step]:
    """The steps, each reading what those before it wrote."""
    photos, degraded, labels = (str(out / name) for name in ("photos", "degraded", "labels"))
    baseline, finetuned, model = out / "baseline", out / "finetuned", str(out / "trigger.tflite")
    return [
        Step(
            "Take photographs",
            "Eight colour photographs that scikit-image and scikit-learn bring along, copied as "
            "they are. Two of them (China, Hubble deep field), and everything made from them, are "
            "held out: the demo measures with them and never trains on them.",
            work=lambda: copy_photographs(out / "photos"),
        ),
        Step(
            "Degrade",
            "Each photograph as it is and with ten faults a camera makes: noise, blur, JPEG "
            "compression, overexposure, and mixtures of them.",
            (("degrade", photos, "--out", degraded, "--versions", "2"),),
        ),
        Step(
            "Label",
            "Let the scorer judge each photo, enhance it, judge it again. The difference is its "
            "delta: what enhancement really gained, in the eyes of the scorer.",
            (("label", degraded, "--out", labels, "--workers", "2"),),
            plot=Plot(
                "labels/deltas.png",
                "Histogram of the measured deltas",
                "Each bar counts photos by their delta. Left of 0, enhancement did harm; from the "
                "red line on, it gained so much that asking for it would have been right.",
            ),
        ),
        Step(
            "Train",
            "Teach a small network to predict delta from the photo alone. This shows the step, no "
            "more: it sees versions of six photographs for eight rounds, and gets anywhere only "
            "because it starts from the packaged trunk, which saw thousands of photos.",
            (
                (
                    *("train", labels, "--out", str(baseline), "--init", "packaged"),
                    *("--epochs", "8", "--batch-size", "11"),
                ),
            ),
            plot=Plot(
                "baseline/scatter.png",
                "Scatter plot of predicted against measured delta, training and held-out photos",
                "Each dot is a photo: the further right, the more enhancement really gained; the "
                "further up, the more the network predicted. On the line, both agree. The training "
                "panel shows what it could learn by heart; only the held-out one counts.",
                wide=True,
            ),
        ),
        Step(
            "Derive ratings",
            "People rate enhanced photos 2, 1, 0 or −1. Nobody rated these, so the demo stands in "
            "for them: it knows the flawless originals and measures by structural similarity "
            "(SSIM) whether the enhanced photo came closer. These ratings are computed, not human.",
            work=lambda: derive_ratings(out),
        ),
        Step(
            "Fine-tune",
            "Fit the last 113 parameters of the network to the derived ratings. That pays with "
            "many ratings of many scenes; with as few as here it can also do harm.",
            (
                (
                    *("finetune", str(baseline / "baseline.keras"), str(out / RATINGS_FILE)),
                    *("--out", str(finetuned)),
                ),
            ),
            plot=Plot(
                "finetuned/precision_recall.png",
                "Precision-recall curves of the baseline and the fine-tuned network",
                "Go through the held-out photos from the highest score down. Recall: how much of "
                "the improvable ones was found by then. Precision: how many of those passed were "
                "improvable. The higher a curve stays, the better; guessing gives the dashed line. "
                "The ratings are derived, not human.",
            ),
        ),
        Step(
            "Export",
            "Convert the network to the file a phone runs, and check that it still gives the "
            "same scores.",
            (("export", str(finetuned / "finetuned.keras"), "--out", model),),
        ),
        Step(
            "Score",
            "Score the photos with the demo's own file, and with the packaged model.",
            (
                (
                    *("rank", degraded, "--model", model, "--top", "3"),
                    *("--json", str(out / "scores-demo.json")),
                ),
                ("rank", degraded, "--top", "3", "--json", str(out / "scores-packaged.json")),
            ),
        ),
    ]
