"""The errors that this project raises.

    TriggerError
    ├── PhotoError                a photo cannot be read; has a machine-readable ``reason``
    ├── ModelError                a model file is missing, altered, damaged, or of another kind
    ├── DataError                 a CSV, Parquet or JSON file does not hold what it should
    │   ├── LockedError           another process writes to the folder (pipelines.data.lock)
    │   └── TargetNotReached      no threshold reaches the target (pipelines.training.finetuning)
    ├── OptionError (ValueError)  an argument or command-line option is out of its range
    ├── EnhancerError             an enhancer failed or did not return a photo
    ├── ScorerError               a scorer failed or did not return an opinion
    ├── EngineError               a Beam engine failed (pipelines.labelling.beam)
    └── MissingExtra              an optional part of the project is not installed

Messages say what was received, what is allowed, and how to fix it. The command line prints the
message alone and exits with 2 for OptionError, 1 for all others.
"""

from __future__ import annotations

from typing import Literal

PhotoReason = Literal[
    "missing",
    "changed",
    "directory",
    "permission",
    "unreadable",
    "empty",
    "too-large",
    "not-a-photo",
    "unsupported-format",
    "too-many-pixels",
    "too-slow",
    "too-small",
    "truncated",
    "corrupt",
    "bad-array",
]


class TriggerError(Exception):
    """Root of all errors raised on purpose by this project."""


class PhotoError(TriggerError):
    """A photo cannot be read.

    Attributes:
        reason: short stable word for tables and counters, one of ``PhotoReason``.
        photo: the path or a description of the source, as received.
        message: what is wrong and how to fix it.
    """

    def __init__(self, reason: PhotoReason, photo: str, message: str) -> None:
        super().__init__(reason, photo, message)
        self.reason: PhotoReason = reason
        self.photo = photo
        self.message = message

    def __str__(self) -> str:
        return f"{self.photo}: {self.message}"


class ModelError(TriggerError):
    """A model file is missing, altered, or does not have the expected signature."""


class DataError(TriggerError):
    """A table or manifest does not hold what it should."""


class OptionError(TriggerError, ValueError):
    """An argument or a command-line option is out of its range."""


class EnhancerError(TriggerError):
    """An enhancer failed, or what it returned is not a photo of the same size."""


class ScorerError(TriggerError):
    """A scorer failed, or what it returned is no opinion: ten shares, or a mean of 1 to 10."""


class MissingExtra(TriggerError):
    """A command needs packages that are not installed."""

    def __init__(self, extra: str, missing: str, purpose: str) -> None:
        super().__init__(extra, missing, purpose)
        self.extra = extra
        self.missing = missing
        self.purpose = purpose

    def __str__(self) -> str:
        return (
            f"{self.purpose} needs the package {self.missing!r}, which is not installed. "
            f"Install it with: pip install '.[{self.extra}]' in the folder of this project"
        )
