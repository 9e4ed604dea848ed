"""Make the picture of the README: photos with their scores, and one before and after enhancement.

``python docs/make_picture.py [--out FILE] [--photos FOLDER]`` (extra: pipelines). The
photographs are those that scikit-image and scikit-learn ship; the faults come from this project's
degradation model.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipelines.data.pixels import to_float
from pipelines.degradation.model import Factors, degrade
from pipelines.enhancers import enhance_pixels, load_enhancer
from trigger import Trigger, read_photo
from trigger.photo import Pixels
from trigger.photo.encode import jpeg_bytes, png_bytes

WIDTH, GAP = 1200, 12
DETAIL = (594, 300)
"""Width and height of the details before and after, in pixels of the photo."""
PAPER, INK, QUIET, ALERT = "#ffffff", "#16191d", "#5a6270", "#b3400a"


@dataclass(frozen=True)
class Example:
    """A photograph, its subject, what is done to it, and how the picture calls that."""

    package: str
    file: str
    subject: str
    name: str
    factors: Factors


EXAMPLES = (
    Example("sklearn.datasets.images", "china.jpg", "temple", "noise", Factors(read_noise=0.06)),
    Example("skimage.data", "chelsea.png", "cat", "blur", Factors(kernel="gaussian", blur=1.8)),
    Example("skimage.data", "coffee.png", "coffee", "JPEG", Factors(jpeg_quality=12)),
    Example("skimage.data", "rocket.jpg", "rocket", "untouched", Factors()),
    Example("sklearn.datasets.images", "flower.jpg", "flower", "untouched", Factors()),
)


def main(target: Path) -> None:
    """Write the picture."""
    photos = [photo(example) for example in EXAMPLES]
    trigger = Trigger()
    tile = (WIDTH - (len(photos) - 1) * GAP) // len(photos)
    tile_height = tile * 3 // 4
    caption = 44
    page = Image.new("RGB", (WIDTH, tile_height + caption + 2 * GAP + DETAIL[1] + caption), PAPER)
    draw = ImageDraw.Draw(page)
    for number, (example, pixels) in enumerate(zip(EXAMPLES, photos, strict=True)):
        left = number * (tile + GAP)
        page.paste(_filled(pixels, (tile, tile_height)), (left, 0))
        result = trigger.assess(pixels)
        words = f"{example.name}: {result.score:.2f}"
        draw.text((left, tile_height + 8), words, INK, _font(20))
        if result.enhance:
            box = (left + tile - 74, tile_height + 7, left + tile, tile_height + 33)
            draw.rounded_rectangle(box, 13, ALERT)
            center = ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2)
            draw.text(center, "alert", PAPER, _font(17), anchor="mm")
    top = tile_height + caption + GAP
    enhanced = enhance_pixels(load_enhancer("restorer"), photos[0])
    for number, (name, pixels) in enumerate((("before", photos[0]), ("enhanced", enhanced))):
        left = number * (WIDTH - DETAIL[0])
        score = trigger.assess(pixels).score
        page.paste(_detail(pixels), (left, top))
        draw.text((left, top + DETAIL[1] + 8), f"{name}: {score:.2f}", INK, _font(20))
    target.write_bytes(jpeg_bytes(page, quality=82, subsampling=2))


def photo(example: Example) -> Pixels:
    """The degraded photograph, (H, W, 3) uint8."""
    content = (resources.files(example.package) / example.file).read_bytes()
    rng = np.random.default_rng(0)
    return degrade(to_float(read_photo(content).pixels), example.factors, rng)


def _filled(photo: Pixels, size: tuple[int, int]) -> Image.Image:
    """The middle of the photo in the shape of ``size``, resized to it."""
    image = Image.fromarray(photo)
    scale = max(size[0] / image.width, size[1] / image.height)
    width, height = size[0] / scale, size[1] / scale
    left, top = (image.width - width) / 2, (image.height - height) / 2
    box = (left, top, left + width, top + height)
    return image.resize(size, Image.Resampling.LANCZOS, box)


def _detail(photo: Pixels) -> Image.Image:
    """The same part of every photo, pixel for pixel."""
    width, height = DETAIL
    left, top = (photo.shape[1] - width) // 2, photo.shape[0] // 2 - height // 2
    return Image.fromarray(photo[top : top + height, left : left + width])


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def write_photos(folder: Path) -> None:
    """Write the photos of the picture as PNG files named by their subject."""
    folder.mkdir(parents=True, exist_ok=True)
    for example in EXAMPLES:
        (folder / f"{example.subject}.png").write_bytes(png_bytes(photo(example)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the picture of the README.")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("trigger.jpg"))
    parser.add_argument("--photos", type=Path, help="also write the five photos to this folder")
    args = parser.parse_args()
    main(args.out)
    if args.photos:
        write_photos(args.photos)
