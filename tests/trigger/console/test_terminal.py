"""Text for the terminal."""

from __future__ import annotations

import pytest

from trigger.console.terminal import counted


@pytest.mark.parametrize(("number", "said"), [(0, "0 photos"), (1, "1 photo"), (21, "21 photos")])
def test_nouns_agree_with_their_numbers(number: int, said: str) -> None:
    assert counted(number, "photo") == said
