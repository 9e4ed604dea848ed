"""What does ``colorize`` make of photographs that it has not seen? A picture to look at.

``python benchmarks/colorize.py [--out FILE.jpg]``: photographs of scikit-image, gray, colored and
as they were; printed is how much closer to the original colors the colored ones are than gray.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from pipelines.data.pixels import Pixels
from pipelines.enhancers import Enhancer, enhance_pixels, load_enhancer

PHOTOS = ("astronaut", "coffee", "chelsea", "rocket")
HEIGHT = 150


def row(photo: Pixels, enhancer: Enhancer) -> tuple[Pixels, float]:
    """Gray, colored and original side by side; PSNR gained over gray in dB."""
    gray = np.asarray(Image.fromarray(photo).convert("L").convert("RGB"))
    shown = enhance_pixels(enhancer, gray)
    gain = peak_signal_noise_ratio(photo, shown) - peak_signal_noise_ratio(photo, gray)
    whole = Image.fromarray(np.hstack([gray, shown, photo]))
    size = (round(whole.width * HEIGHT / whole.height), HEIGHT)
    return np.asarray(whole.resize(size, Image.Resampling.LANCZOS)), float(gain)


def main() -> None:
    """Color, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("colorize.jpg"))
    args = parser.parse_args()
    enhancer = load_enhancer("colorize")
    rows = []
    for name in PHOTOS:
        pixels, gain = row(getattr(skimage.data, name)(), enhancer)
        print(f"{name}: {gain:+.2f} dB")
        rows.append(pixels)
    sheet = Image.new("RGB", (max(pixels.shape[1] for pixels in rows), HEIGHT * len(rows)), "white")
    for number, pixels in enumerate(rows):
        sheet.paste(Image.fromarray(pixels), (0, number * HEIGHT))
    sheet.save(args.out, quality=85)


if __name__ == "__main__":
    main()
