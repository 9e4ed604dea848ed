"""Run the whole chain on sample photographs, with the commands that a user would type.

The photographs are files of scikit-image and scikit-learn. They are copied byte for byte, so that
their hashes, and with them the scenes that are held out, are the same on every machine.
"""

from __future__ import annotations

import functools
import logging
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

logger = logging.getLogger(__name__)

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


def run_demo(out: Path, *, show_progress: bool = False) -> Path:
    """Run every step on the sample photographs and write the page that shows them.

    Takes a few minutes and needs no network.

    Args:
        out: a new or empty folder, or that of an earlier demo, whose files are replaced.
        show_progress: show progress bars on a terminal.

    Returns:
        The path of the page.

    Raises:
        OptionError: ``out`` is a file, or a folder with something else in it.
        TriggerError: a step failed.

    Example:
        >>> run_demo(Path("demo-output"))  # doctest: +SKIP
        PosixPath('demo-output/index.html')
    """
    prepare_folder(out)
    steps = make_steps(out, show_progress)
    chapters = []
    for number, step in enumerate(steps, 1):
        logger.info("%d/%d  %s", number, len(steps), step.title)
        chapters.append(step.run())
    content = page(collect_cards(out, show_progress=show_progress), DEFAULT_THRESHOLD, chapters)
    write_atomically(out / "index.html", content.encode())
    return out / "index.html"


def prepare_folder(out: Path) -> None:
    """Create the demo's folder, or remove from it what an earlier demo wrote, and nothing else.

    Raises:
        OptionError: it is a file, cannot be written, or was not made by a demo.
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


def make_steps(out: Path, show_progress: bool) -> list[Step]:
    """Return the steps; each reads what earlier ones wrote."""
    photos, degraded, labels = (str(out / name) for name in ("photos", "degraded", "labels"))
    baseline, finetuned, model = out / "baseline", out / "finetuned", str(out / "trigger.tflite")
    return [
        Step(
            "Take photographs",
            "Eight color photographs that come with scikit-image and scikit-learn, copied as "
            "they are. Two of them (China, Hubble deep field), and everything made from them, are "
            "held out: the demo measures with them and never trains on them.",
            work=functools.partial(copy_photographs, out / "photos"),
        ),
        Step(
            "Degrade",
            "Each photograph as it is and with ten faults a camera makes: noise, blur, JPEG "
            "compression, overexposure, and mixtures of them.",
            (("degrade", photos, "--out", degraded, "--versions", "2"),),
        ),
        Step(
            "Label",
            "Score each photo, enhance it, and score it again. The difference is its delta: what "
            "enhancement gained according to the scorer.",
            (("label", degraded, "--out", labels, "--workers", "2"),),
            plot=Plot(
                "labels/deltas.png",
                "Histogram of the measured deltas",
                "Each bar counts photos by their delta. Left of 0, enhancement did harm; right of "
                "the red line, it gained enough to be worth an alert.",
            ),
        ),
        Step(
            "Train",
            "Train a small network to predict delta from the photo alone. This only shows the "
            "step: it sees versions of six photographs for eight epochs, and learns anything at "
            "all only because it starts from the packaged trunk, trained on thousands of photos.",
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
                "further up, the more the network predicted. On the line, both agree. The network "
                "could memorise the photos of the training panel; only the held-out one counts.",
                wide=True,
            ),
        ),
        Step(
            "Derive ratings",
            "People rate enhanced photos 2, 1, 0 or −1. Nobody rated these, so the demo stands in "
            "for them: it knows the flawless originals and measures by structural similarity "
            "(SSIM) whether the enhanced photo came closer to them. These ratings are computed, "
            "not human.",
            work=functools.partial(derive_ratings, out, show_progress=show_progress),
        ),
        Step(
            "Fine-tune",
            "Fit the last 113 parameters of the network to the derived ratings. With many ratings "
            "of many scenes that helps; with as few as here it can also do harm.",
            (
                (
                    *("finetune", str(baseline / "baseline.keras"), str(out / RATINGS_FILE)),
                    *("--out", str(finetuned)),
                ),
            ),
            plot=Plot(
                "finetuned/precision_recall.png",
                "Precision-recall curves of the baseline and the fine-tuned network",
                "Go through the held-out photos from the highest score down. Recall: the share of "
                "improvable photos found so far. Precision: the share of photos so far that are "
                "improvable. The higher a curve stays, the better; guessing gives the dotted line. "
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
