"""The network and the loss of the ``alexnet-rank`` scorer.

Kong, Shen, Lin, Mech, Fowlkes, "Photo Aesthetics Ranking Network with Attributes and Content
Adaptation", ECCV 2016, doi:10.1007/978-3-319-46448-0_40: AlexNet (Krizhevsky, Sutskever, Hinton,
NIPS 2012) that predicts one score, trained by regression and by ranking the photos of a batch. Of
that paper this is the ranking network alone, without its branches for attributes and content, and
AlexNet is slimmer:

* one of its two towers: 48, 128, 192, 192 and 128 channels, kernels of 11, 5, 3, 3 and 3 pixels;
* input 448x448 with stride 8 in the first layer, not 227x227 with stride 4: the same 56x56
  places, but noise and compression are not averaged away before they are looked at;
* global average pooling and two layers of 256, not 9216 x 4096 x 4096;
* batch normalization (Ioffe and Szegedy, ICML 2015) in place of local response normalization,
  since weights start random, not from ImageNet. No dropout.

1,046,993 parameters, 2.1 MB in float16.
"""

from __future__ import annotations

import keras

from trigger.interface import MEAN_OPINION
from trigger.preprocessing import STANDARD

MARGIN = 0.3
"""Points of 1..10 by which predictions of a pair must differ; closer opinions are not ranked."""
RANK_WEIGHT = 1.0


def build_alexnet_rank(side: int = STANDARD.size) -> keras.Model:
    """Fresh weights: uint8 (N, side, side, 3) to mean opinions (N, 1), unbounded."""
    photo = keras.Input((side, side, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(photo)
    x = _convolve(x, 1, 48, 11, stride=8)
    x = _convolve(_shrink(x), 2, 128, 5)
    x = _convolve(_shrink(x), 3, 192, 3)
    x = _convolve(x, 4, 192, 3)
    x = _convolve(x, 5, 128, 3)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    for number in (6, 7):
        x = keras.layers.Dense(
            256, activation="relu", kernel_initializer="he_normal", name=f"fc{number}"
        )(x)
    middle = keras.initializers.Constant(5.5)
    head = keras.layers.Dense(1, bias_initializer=middle, name=MEAN_OPINION)
    return keras.Model(photo, head(x), name="alexnet-rank")


def _convolve(
    x: keras.KerasTensor, number: int, channels: int, size: int, stride: int = 1
) -> keras.KerasTensor:
    x = keras.layers.Conv2D(
        channels,
        size,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"conv{number}",
    )(x)
    x = keras.layers.BatchNormalization(momentum=0.9, name=f"norm{number}")(x)
    return keras.layers.ReLU(name=f"relu{number}")(x)


def _shrink(x: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.MaxPooling2D(3, strides=2, padding="same")(x)


@keras.saving.register_keras_serializable("trigger")
def rank_loss(expected: keras.KerasTensor, predicted: keras.KerasTensor) -> keras.KerasTensor:
    """Regression and ranking (Kong et al. 2016), in points of 1..10, per photo.

    Half the squared error, plus half the mean over the other photos of the batch of
    max(0, margin - d), where d is the predicted difference of the better photo to the other.
    Pairs whose opinions differ by less than the margin are not ranked.

    Args:
        expected: (N, 1) mean opinions.
        predicted: (N, 1).

    Returns:
        (N,).
    """
    gaps = expected - keras.ops.transpose(expected)
    ahead = keras.ops.sign(gaps) * (predicted - keras.ops.transpose(predicted))
    clear = keras.ops.cast(keras.ops.abs(gaps) >= MARGIN, predicted.dtype)
    ranking = keras.ops.mean(clear * keras.ops.relu(MARGIN - ahead), axis=1)
    regression = keras.ops.mean(keras.ops.square(predicted - expected), axis=1)
    return 0.5 * regression + 0.5 * RANK_WEIGHT * ranking
