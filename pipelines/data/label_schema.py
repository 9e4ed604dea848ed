"""What a label holds: the columns of label tables, and the recipe a label was made with."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields

import pyarrow as pa

from trigger.errors import OptionError

HASH = "[0-9a-f]{64}"
RECIPE_PART = "[A-Za-z0-9][A-Za-z0-9._+-]*"

LABEL_SCHEMA = pa.schema(
    [
        pa.field("photo", pa.string(), nullable=False),  # SHA-256 of the file's content, hex
        pa.field("path", pa.string(), nullable=False),  # absolute, where the photo was read
        pa.field("width", pa.int32(), nullable=False),  # pixels, upright
        pa.field("height", pa.int32(), nullable=False),
        pa.field("input_score", pa.float32(), nullable=False),  # 1..10
        # Ten shares of opinions 1..10; null where the scorer knows only their mean.
        pa.field("input_distribution", pa.list_(pa.float32())),
        pa.field("enhanced_score", pa.float32(), nullable=False),  # 1..10
        pa.field("delta", pa.float32(), nullable=False),  # enhanced_score - input_score
        pa.field("enhancer", pa.string(), nullable=False),
        pa.field("enhancer_version", pa.string(), nullable=False),
        pa.field("scorer", pa.string(), nullable=False),
        pa.field("scorer_version", pa.string(), nullable=False),
        pa.field("preprocessing", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Recipe:
    """What a label depends on besides its photo; labels of two recipes never mix.

    Example:
        >>> str(Recipe("restorer", "3", "nima", "6", "upright-bilinear-448-v1"))
        'restorer 3, nima 6, upright-bilinear-448-v1'
    """

    enhancer: str
    enhancer_version: str
    scorer: str
    scorer_version: str
    preprocessing: str

    def __post_init__(self) -> None:
        for field, value in asdict(self).items():
            if not re.fullmatch(RECIPE_PART, value):
                raise OptionError(
                    f"{field} is {value!r}; it becomes part of file names, so it may hold letters, "
                    "digits and . _ + - and starts with a letter or digit"
                )

    def __str__(self) -> str:
        return (
            f"{self.enhancer} {self.enhancer_version}, {self.scorer} {self.scorer_version}, "
            f"{self.preprocessing}"
        )


RECIPE_COLUMNS = [field.name for field in fields(Recipe)]
KEY_COLUMNS = ["photo", *RECIPE_COLUMNS]
