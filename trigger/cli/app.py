"""The ``trigger`` command: one table of subcommands, each imported only when it is run.

A subcommand is a module with ``add_arguments(parser)`` and ``run(args) -> exit code``.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from trigger.console.quiet import native_messages_muted
from trigger.console.terminal import printable
from trigger.errors import MissingExtra, OptionError, TriggerError

_OWN_PACKAGES = {"trigger", "pipelines", "annotation", "export"}


@dataclass(frozen=True)
class Command:
    """A subcommand.

    Attributes:
        module: where it lives.
        help: one line.
        extra: what brings its packages.
        passes_on: arguments after ``--`` are not its own; it finds them in ``args.passed_on``.
    """

    module: str
    help: str
    extra: str | None = None
    passes_on: bool = False


COMMANDS = {
    "score": Command("trigger.commands.score", "score photos: what would enhancement gain?"),
    "rank": Command("trigger.commands.rank", "rank folders of photos, best candidates first"),
    "label": Command(
        "pipelines.labelling.run", "label photos with measured deltas", "pipelines", True
    ),
    "label status": Command(
        "pipelines.labelling.status", "how far a labelling run is", "pipelines"
    ),
    "label report": Command(
        "pipelines.labelling.report", "write a page to look at labels", "pipelines"
    ),
    "label compact": Command("pipelines.labelling.compact", "merge small label files", "pipelines"),
    "enhance": Command(
        "pipelines.enhancers.photo", "enhance photos, and see if it helped", "pipelines"
    ),
    "enhancers": Command("pipelines.commands.enhancers", "list what can enhance", "pipelines"),
    "degrade": Command(
        "pipelines.degradation.folder", "make degraded versions of photos", "pipelines"
    ),
    "train": Command("pipelines.training.baseline", "train a model on labels", "pipelines"),
    "finetune": Command(
        "pipelines.training.finetuning.finetune", "fit a model's head to ratings", "pipelines"
    ),
    "evaluate": Command(
        "pipelines.evaluation.rated", "compare a model's scores with ratings", "pipelines"
    ),
    "train-scorer": Command(
        "pipelines.training.scorer.train", "train the quality scorer", "pipelines"
    ),
    "derive-ratings": Command(
        "pipelines.opinions.derived_ratings", "derive ratings from human scores", "pipelines"
    ),
    "pairs": Command("annotation.pairs", "choose before/after pairs to rate", "annotation"),
    "annotate": Command("annotation.commands.annotate", "rate pairs in the browser", "annotation"),
    "ratings": Command(
        "annotation.commands.ratings", "sum up, convert and combine ratings", "annotation"
    ),
    "export": Command("export.commands.export", "convert a model to TFLite and check it", "export"),
    "demo": Command("pipelines.demo.run", "run the whole chain on sample photographs", "pipelines"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code (0 fine, 1 error, 2 wrong usage, 130 ^C)."""
    # Python has no stream where the shell closed it.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):  # file names may hold what the terminal cannot show
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    arguments = list(sys.argv[1:] if argv is None else argv)
    return reported(lambda: _run(arguments))


def reported(work: Callable[[], int | None]) -> int:
    """Do what a command line asks for, and tell on standard error what stopped it.

    Returns:
        What ``work`` returns, 0 for nothing; 1 after an error, 2 wrong usage, 130 after ^C, 141
        where nobody reads on.
    """
    try:
        code = work() or 0
        sys.stdout.flush()
        return code
    except OptionError as error:
        return _fail(error, 2)
    except TriggerError as error:
        return _fail(error, 1)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        _silence_output()
        return 141  # what a shell reports for a command ended by SIGPIPE
    except OSError as error:  # such as a full disk
        try:
            sys.stdout.flush()
        except OSError:
            _silence_output()
        return _fail(error, 1)


def _silence_output() -> None:
    """Python flushes standard output once more when it exits; let that go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: list[str]) -> int:
    if (two_words := " ".join(arguments[:2])) in COMMANDS:
        arguments = [two_words, *arguments[2:]]
    chosen = arguments[0] if arguments and arguments[0] in COMMANDS else None
    command = COMMANDS[chosen] if chosen else None
    passed_on: list[str] = []
    if command and command.passes_on and "--" in arguments:
        dashes = arguments.index("--")
        arguments, passed_on = arguments[:dashes], arguments[dashes + 1 :]
    try:
        # Read by TensorFlow when it is loaded; its warnings are for its developers.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with native_messages_muted():
            module = importlib.import_module(command.module) if command else None
        try:
            args = _parse(_parser(chosen, module), arguments)
        except SystemExit as stop:  # help, version or wrong usage: argparse has said it all
            return int(stop.code or 0)
        assert module is not None  # no other command name passes the parser
        args.passed_on = passed_on
        return int(module.run(args))
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if command is None or command.extra is None or missing in _OWN_PACKAGES:
            raise
        raise MissingExtra(command.extra, missing, f"trigger {chosen}") from error


def _parse(parser: argparse.ArgumentParser, arguments: list[str]) -> argparse.Namespace:
    """As ``parse_args``, which tells of misspelt options with the usage of the main program."""
    word = arguments[0] if arguments else ""
    if word and not word.startswith("-") and word not in COMMANDS:
        close = difflib.get_close_matches(word, COMMANDS)
        meant = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
        parser.error(f"there is no command {word!r}{meant} (trigger --help lists all)")
    args, unknown = parser.parse_known_args(arguments)
    if unknown:
        args.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    del args.parser
    return args


def _parser(chosen: str | None, module: ModuleType | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trigger",
        description="Would this photo look clearly better after enhancement?",
        epilog="Help for a command: trigger COMMAND --help",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        subparser = commands.add_parser(
            name, help=command.help, allow_abbrev=False, formatter_class=_Paragraphs
        )
        subparser.set_defaults(parser=subparser)
        if name == chosen and module is not None:
            module.add_arguments(subparser)
    return parser


class _Paragraphs(argparse.HelpFormatter):
    """Wraps every line of a description or epilog by itself."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(
            super(_Paragraphs, self)._fill_text(line, width, indent) for line in text.splitlines()
        )


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # slow to import, rarely asked for

        sys.stdout.write(f"trigger {version('trigger')}\n")
        parser.exit()


def _fail(problem: object, code: int) -> int:
    lines = str(problem).split("\n")  # such as those of a table with several mistakes
    sys.stderr.write("trigger: " + "\n".join(map(printable, lines)) + "\n")
    return code
