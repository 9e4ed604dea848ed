"""Steps of a rebuild; a step is skipped when its result exists."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.data.provenance import UNFINISHED
from pipelines.enhancers import DEFAULT_ENHANCER, load_enhancer
from trigger.cli import app as cli
from trigger.errors import OptionError, TriggerError
from trigger.files import make_folder, resolved, write_atomically

logger = logging.getLogger(__name__)

INTERRUPTED = 130


def run_command(arguments: Sequence[str]) -> None:
    """Show a ``trigger`` command and run it.

    Raises:
        TriggerError: it failed, after it printed the reason.
        KeyboardInterrupt: it was interrupted.
    """
    shown = shlex.join(["trigger", *arguments])
    logger.info("$ %s", shown)
    code = cli.main(arguments)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code != 0:
        raise TriggerError(f"stopped: '{shown}' failed with exit code {code}, see above")


@dataclass(frozen=True)
class Step:
    """One step of a rebuild.

    Attributes:
        title: what it does, for the log.
        result: the last file that it writes.
        work: does it.
    """

    title: str
    result: Path
    work: Callable[[], object]

    def run(self) -> None:
        """Do the work, unless the result is complete.

        Example:
            >>> from pathlib import Path
            >>> Step("write", Path("a.txt"), lambda: None).run()  # doctest: +SKIP
        """
        if not self.result.exists() or (self.result.parent / UNFINISHED).exists():
            logger.info("%s: %s", self.title, self.result.parent)
            self.work()


def claim(data: Path, out: Path, **versions: str) -> None:
    """Mark a folder as made from ``data`` by these versions, so that its steps may be skipped.

    Args:
        data: folder of photos.
        out: folder of a rebuild; made if it does not exist.
        versions: of the models that are rebuilt.

    Raises:
        OptionError: the folder was made from other data or by another version.
    """
    origin = {"data": str(resolved(data)), **versions}
    origin["enhancer"] = load_enhancer(DEFAULT_ENHANCER).version
    stamp = out / "versions.json"
    ours = json.dumps(origin).encode()
    if stamp.exists() and (other := stamp.read_bytes()) != ours:
        raise OptionError(
            f"{out} was made from {other.decode(errors='replace')}, this is {ours.decode()}; "
            "give another --out"
        )
    make_folder(out)
    write_atomically(stamp, ours)
