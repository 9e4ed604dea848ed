from __future__ import annotations

import click
import pytest

from trigger.cli import options


@pytest.mark.parametrize(
    ("kind", "allowed", "refused"),
    [
        (options.FINITE, ["-1", "0.4"], ["nan", "inf", "1e99", "high"]),
        (options.POSITIVE_FLOAT, ["1e-9", "2"], ["0", "-1", "inf", "nan", "much"]),
        (options.POSITIVE, ["1", "20"], ["0", "-1", "1.5", "\N{SUPERSCRIPT TWO}"]),
        (options.SEED, ["0", str(2**32 - 1)], [str(2**32), "-1", "x"]),
        (options.LOCAL_PATH, ["a/b", "~"], ["gs://bucket/photos"]),
    ],
)
def test_options_are_checked_at_their_limits(
    kind: click.ParamType[object], allowed: list[str], refused: list[str]
) -> None:
    for text in allowed:
        kind.convert(text, None, None)
    for text in refused:
        with pytest.raises(click.BadParameter):
            kind.convert(text, None, None)
