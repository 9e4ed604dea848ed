"""The ``trigger`` command: runs the subcommand that was named and turns errors into exit codes."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import click

from trigger.cli.groups import LazyGroup, missing_extra
from trigger.cli.table import COMMANDS
from trigger.console.logs import log_to_terminal
from trigger.console.terminal import printable
from trigger.errors import OptionError, TriggerError

INTERRUPTED = 130
"""Exit code after ^C."""


def run() -> NoReturn:
    """Run the command line and end the process, after ^C without waiting for threads."""
    code = main()
    others = (thread for thread in threading.enumerate() if thread is not threading.main_thread())
    if code == INTERRUPTED and not all(thread.daemon for thread in others):
        os._exit(code)  # a thread may be in the middle of a large photo
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the arguments after ``trigger``; those of this process by default.

    Returns:
        The exit code: 0 success, 1 error, 2 wrong usage, 130 interrupted, 141 broken pipe.
    """
    # Python has no stream where the shell closed it.
    sys.stdin = sys.stdin or Path(os.devnull).open()  # noqa: SIM115
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):  # file names may hold what the terminal cannot show
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # No Python that is started from here imports modules from the current folder.
    os.environ["PYTHONSAFEPATH"] = "1"
    # Read by TensorFlow when it is loaded; its warnings are for its developers.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    arguments = list(sys.argv[1:] if argv is None else argv)
    with log_to_terminal():
        return reported(lambda: _run(arguments))


def reported(work: Callable[[], int | None]) -> int:
    """Run a command's work and print the error that stopped it.

    Returns:
        What ``work`` returns, 0 for None; 1 after an error, 2 for wrong usage, 130 after ^C, 141
        if standard output was closed early.
    """
    try:
        code = work() or 0
        sys.stdout.flush()
        return code
    except click.ClickException as error:
        return _report_usage(error)
    except OptionError as error:
        return _report(error, 2)
    except TriggerError as error:
        return _report(error, 1)
    except (KeyboardInterrupt, click.Abort):
        return _report("interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        _discard_output()
        return 141  # what a shell reports for a command ended by SIGPIPE
    except OSError as error:  # such as a full disk
        try:
            sys.stdout.flush()
        except OSError:
            _discard_output()
        return _report(error, 1)


def make_program() -> LazyGroup:
    """Return the ``trigger`` command with all its subcommands, none of them imported yet."""
    return LazyGroup(
        "trigger",
        COMMANDS,
        help="Would this photo look clearly better after enhancement?",
        epilog="Help for a command: trigger COMMAND --help",
        params=[
            click.Option(
                ["--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_print_version,
                help="Print the version and exit.",
            )
        ],
    )


def _run(arguments: list[str]) -> int:
    program = make_program()
    # Not `program.main`, which turns broken pipes into exit code 1.
    try:
        with program.make_context("trigger", arguments) as context:
            code = program.invoke(context)
    except click.exceptions.Exit as end:  # --help, --version
        return end.exit_code
    except ModuleNotFoundError as error:
        raise (missing_extra(error) or error) from error
    return code if isinstance(code, int) else 0


def _print_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # slow to import, rarely asked for

        click.echo(f"trigger {version('trigger')}")
        context.exit()


def _report_usage(error: click.ClickException) -> int:
    """Print the usage of the command that was misused, and what was wrong."""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        sys.stderr.write(f"{error.ctx.get_usage()}\n")
    return _report(error.format_message(), error.exit_code)


def _report(problem: object, code: int) -> int:
    lines = str(problem).split("\n")  # such as those of a table with several mistakes
    sys.stderr.write("trigger: " + "\n".join(map(printable, lines)) + "\n")
    return code


def _discard_output() -> None:
    """Python flushes standard output once more when it exits; let that go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
