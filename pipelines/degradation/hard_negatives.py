"""Hard negatives: pictures that look faulty at 448 pixels but that no enhancer can improve.

Galleries contain thumbnails, which look blurred next to large photos; screenshots; and pictures of
nothing, such as a pocket or a wall. A network trained on full-sized photos alone takes them for
very poor ones. As labelled examples they teach it that enhancement gains nothing there.
"""

from __future__ import annotations

import string
from typing import Literal, get_args

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipelines.data.pixels import Pixels, to_pixels

HardNegative = Literal["thumbnail", "text", "plain"]
HARD_NEGATIVES: tuple[HardNegative, ...] = get_args(HardNegative)

Color = tuple[int, ...]
_LETTERS = list(string.ascii_lowercase * 3 + string.ascii_uppercase + string.digits)


def hard_negative(kind: HardNegative, photo: Pixels, rng: np.random.Generator) -> Pixels:
    """Make a picture that enhancement cannot improve, in the colors of a photo.

    Args:
        kind: ``thumbnail`` (the photo, 64 to 480 pixels long, where it is not shorter already),
            ``text`` (a page or screen of it) or
            ``plain`` (an even area or gradient, from black to white).
        photo: (H, W, 3) uint8.
        rng: source of randomness.

    Returns:
        (h, w, 3) uint8, ``plain`` as large as the photo.

    Example:
        >>> from skimage.data import coffee
        >>> hard_negative("plain", coffee(), np.random.default_rng(0)).shape
        (400, 600, 3)
    """
    if kind == "thumbnail":
        return _thumbnail(photo, rng)
    return _text(photo, rng) if kind == "text" else _plain(photo, rng)


def _thumbnail(photo: Pixels, rng: np.random.Generator) -> Pixels:
    longer = max(photo.shape[:2])
    scale = min(1.0, float(np.exp(rng.uniform(np.log(64), np.log(480)))) / longer)
    height, width = (max(1, round(scale * side)) for side in photo.shape[:2])
    return cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _plain(photo: Pixels, rng: np.random.Generator) -> Pixels:
    patches = int(rng.integers(1, 4))
    colors = cv2.resize(photo, (patches, patches), interpolation=cv2.INTER_AREA) / np.float32(255)
    # Dark and bright ones are clipped: a pocket is black, a window at noon white.
    colors = np.clip(colors * rng.uniform(0, 2) + rng.uniform(-0.5, 0.5), 0, 1)
    height, width = photo.shape[:2]
    return to_pixels(cv2.resize(colors, (width, height), interpolation=cv2.INTER_CUBIC))


def _text(photo: Pixels, rng: np.random.Generator) -> Pixels:
    width = int(rng.integers(360, 721))
    height = int(width * rng.uniform(0.6, 2.2))
    mean: Color = tuple(int(value) for value in photo.reshape(-1, 3).mean(axis=0))
    grounds: list[Color] = [(255, 255, 255), (18, 18, 18), mean]
    ground = grounds[rng.choice(3, p=[0.5, 0.25, 0.25])]
    ink: Color = (20, 20, 20) if sum(ground) > 3 * 127 else (235, 235, 235)
    page = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(page)
    margin, top = int(rng.integers(8, 48)), int(rng.integers(8, 48))
    size = int(rng.integers(10, 29))
    while top < height:
        heading = rng.random() < 0.1
        font = ImageFont.load_default(size * 2 if heading else size)
        if rng.random() < 0.15:  # a button, a field or a placeholder
            right = int(rng.integers(margin + 20, width))
            draw.rounded_rectangle((margin, top, right, top + 2 * size), size // 2, mean, ink)
        else:
            draw.text((margin, top), _line(width // size, rng), ink, font)
        top += int(size * (2.8 if heading else rng.choice([1.4, 1.4, 1.4, 2.6])))
    return np.array(page)


def _line(length: int, rng: np.random.Generator) -> str:
    """Return random words with about ``length`` letters in total."""
    words: list[str] = []
    while sum(map(len, words)) < length:
        words.append("".join(rng.choice(_LETTERS, int(rng.integers(1, 11)))))
    return " ".join(words)
