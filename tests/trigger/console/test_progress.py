from __future__ import annotations

import io
import sys

import pytest

from trigger.console.progress import progress


@pytest.mark.parametrize(
    ("is_terminal", "shown", "seen"),
    [(True, True, True), (False, True, False), (True, False, False)],
)
def test_progress_is_shown_on_terminals_alone(
    is_terminal: bool, shown: bool, seen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = io.StringIO()
    monkeypatch.setattr(errors, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stderr", errors)
    assert list(progress(iter("abc"), "scoring", total=3, shown=shown)) == ["a", "b", "c"]
    assert ("scoring" in errors.getvalue()) == seen
