from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest
from photo_files import encode
from PIL import Image

from trigger import Trigger
from trigger.errors import OptionError, PhotoError
from trigger.photo import Limits, read_photo
from trigger.photo.interruptible import call_interruptibly

SIDE = 2000
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("RGB", {}),
    "JPEG progressive": ("RGB", {"progressive": True, "subsampling": 0}),
    "JPEG cmyk": ("CMYK", {}),
    "PNG": ("RGB", {"compress_level": 1}),
    "PNG gray": ("L", {"compress_level": 1}),
    "PNG alpha": ("RGBA", {"compress_level": 1}),
    "PNG 16": ("I;16", {"compress_level": 1}),
    "WEBP": ("RGB", {"method": 0}),
    "AVIF": ("RGB", {"speed": 10}),
    "GIF": ("P", {}),
    "BMP": ("RGB", {}),
    "TIFF deflate": ("CMYK", {"compression": "tiff_adobe_deflate"}),
    "TIFF float": ("F", {}),
}
MEASURE = """
import resource, sys, time
from PIL import ImageCms
from trigger.photo import Limits, read_photo
data = sys.stdin.buffer.read()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before, start = peak(), time.process_time()
read_photo(data, limits=Limits(memory_bytes=int(sys.argv[1])))
print(peak() - before, time.process_time() - start)
"""


def cost_of(data: bytes) -> int:
    """The memory that a photo needs by our estimate, from the error that refuses it."""
    with pytest.raises(PhotoError) as caught:
        read_photo(data, limits=Limits(memory_bytes=1))
    assert caught.value.reason == "too-many-pixels"
    return int(caught.value.message.split("up to ")[1].split(" MB")[0]) * 10**6


@pytest.mark.parametrize("kind", KINDS)
def test_estimates_are_upper_bounds(kind: str) -> None:
    mode, options = KINDS[kind]
    image = Image.new(mode, (SIDE, SIDE))
    exif = Image.Exif()
    exif[0x0112] = 6
    metadata = {"exif": exif} if kind[:4] in ("JPEG", "PNG", "WEBP") else {}
    data = encode(image, kind.split()[0], **options, **metadata)
    estimate = cost_of(data) + 10**6
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, str(estimate)], input=data, capture_output=True, check=True
    )
    peak, seconds = (float(part) for part in measured.stdout.split())
    assert peak < 1.1 * estimate + 4e6
    assert seconds < 5


def test_a_few_bytes_cannot_take_gigabytes() -> None:
    data = encode(
        Image.new("RGBA", (9000, 9000), (255, 0, 0, 128)), "WEBP", lossless=True, method=0
    )
    assert len(data) < 1000
    start = time.process_time()
    with pytest.raises(PhotoError, match="1000 MB are allowed"):
        read_photo(data)
    assert time.process_time() - start < 0.5


def test_limits_are_given_to_the_trigger_and_to_read_photo(coffee: np.ndarray) -> None:
    data = encode(coffee, "JPEG")
    trigger = Trigger(limits=Limits(pixels=1000))
    with pytest.raises(PhotoError, match=r"at most 0\.001 megapixels"):
        trigger.assess(data)
    with pytest.raises(PhotoError, match="599 per side"):
        read_photo(coffee, limits=Limits(side=599))
    with pytest.raises(PhotoError) as caught:
        read_photo(data, limits=Limits(file_bytes=1000))
    assert caught.value.reason == "too-large"


@pytest.mark.parametrize("limits", [{"pixels": 0}, {"seconds": -1.0}, {"scans": float("nan")}])
def test_nonsense_is_refused(limits: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="above 0"):
        Limits(**limits)  # type: ignore[arg-type]


def test_ctrl_c_ends_a_long_call_at_once() -> None:
    release = threading.Event()
    timer = threading.Timer(0.2, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        call_interruptibly(lambda: release.wait(30))
    release.set()
    assert time.monotonic() - start < 10


def test_errors_of_the_call_are_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        call_interruptibly(lambda: 1 // 0)
