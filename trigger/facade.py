"""Packages that export names of their modules, and import each module when it is first needed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_exports(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the ``__getattr__`` of a package, so that importing it stays cheap.

    Args:
        package: its ``__name__``.
        modules: module within the package by the name that it defines.

    Example:
        >>> __getattr__ = lazy_exports("trigger", {"load_model": "model"})
        >>> __getattr__("load_model").__module__
        'trigger.model'
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{modules[name]}"), name)

    return get
