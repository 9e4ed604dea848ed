from __future__ import annotations

import random
import sys

import pytest

import fuzz


def test_every_sample_is_a_photo() -> None:
    outcomes = {name: fuzz.read(data) for name, data in fuzz.samples().items()}
    assert {name: text for name, text in outcomes.items() if not text.startswith("read")} == {}


def test_the_same_seed_makes_the_same_mutations() -> None:
    data = bytes(range(256)) * 4
    first, second = (
        [fuzz.mutate(data, chance) for _ in range(50)]
        for chance in (random.Random(3), random.Random(3))
    )
    assert first == second
    assert sum(mutation != data for mutation in first) > 40


def test_a_short_run_finds_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["fuzz.py", "photos", "--count", "150"])
    assert fuzz.main() == 0
    assert sum(int(row.split()[0]) for row in capsys.readouterr().out.splitlines()) == 150


def test_what_is_not_allowed_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object, **__: object) -> None:
        raise ValueError

    monkeypatch.setattr(fuzz, "read_photo", crash)
    assert fuzz.read(b"").startswith("FAILURE")
