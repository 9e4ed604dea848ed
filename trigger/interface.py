"""Names and shapes of the inputs and outputs that all networks of this project have."""

from __future__ import annotations

from dataclasses import dataclass

from trigger.preprocessing import STANDARD

SIGNATURE = "score"
INPUT = "image"
INPUT_SHAPE = (1, STANDARD.size, STANDARD.size, 3)
"""uint8 RGB, raw 0..255; the network normalizes inside."""

IMPROVABILITY = "quality_improvability"
DISTRIBUTION = "distribution"
MEAN_OPINION = "mean_opinion"
"""Names of the outputs; see ``OUTPUTS``."""


@dataclass(frozen=True)
class Output:
    """An output that an exported network may have.

    Attributes:
        name: of the Keras output layer and of the output in the TFLite signature.
        size: values per photo.
        network: what the network is called unless the user names it.
        meaning: for the reader of the metadata, with range and direction.
        decides: whether the first value is compared with a threshold.
    """

    name: str
    size: int
    network: str
    meaning: str
    decides: bool


OUTPUTS = {
    output.name: output
    for output in (
        Output(
            name=IMPROVABILITY,
            size=1,
            network="trigger",
            meaning=(
                "Predicted gain in the photo's perceptual quality if it were enhanced. Once "
                "fine-tuned on the scale of human ratings: 0 neutral, 1 moderate, 2 significant "
                "improvement, -1 regressed; before that, points of the scorer. Unbounded; about 0 "
                "for photos with nothing to mend."
            ),
            decides=True,
        ),
        Output(
            name=DISTRIBUTION,
            size=10,
            network="nima",
            meaning=(
                "Predicted share of people whose opinion of the photo's quality is 1, 2, ... 10. "
                "Each in 0..1, sum 1; the mean opinion is the score, higher means better."
            ),
            decides=False,
        ),
        Output(
            name=MEAN_OPINION,
            size=1,
            network="alexnet-rank",
            meaning=(
                "Predicted mean of people's opinions of the photo's quality, from 1 to 10; higher "
                "means better."
            ),
            decides=False,
        ),
    )
}
