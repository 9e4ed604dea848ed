"""What tests of labelling share: small models, small photos, and looking at what comes out."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from label_models import ENHANCERS
from PIL import Image

import pipelines.enhancers
import pipelines.scorers
from pipelines.data import label_files
from pipelines.data.label_schema import Recipe
from pipelines.data.rejects import read_rejects
from pipelines.data.storage import Folder
from pipelines.labelling.run import label_photos

Pixels = npt.NDArray[np.uint8]
RECIPE = Recipe("brighten", "1", "brightness", "1", "none")


def use_models(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, registered in ENHANCERS.items():
        monkeypatch.setitem(pipelines.enhancers.ENHANCERS, name, registered)
    monkeypatch.setitem(pipelines.scorers.SCORERS, "brightness", "label_models:Brightness")


def write_photos(folder: Path, photographs: Mapping[str, Pixels]) -> Path:
    """Make a folder with eight different small photos, two of them in a subfolder."""
    (folder / "sub").mkdir(parents=True)
    for name, pixels in photographs.items():
        place = folder / "sub" if name in ("china", "flower") else folder
        Image.fromarray(pixels[100:148, 100:164]).save(place / f"{name}.png")
    return folder


def label(photos: Path | str, out: Path | str, **options: Any) -> Any:
    """Label with the fakes; the finished LabelRun, whose optional parts tests need not check."""
    options = {"enhancers": ("brighten",), "scorer": "brightness"} | options
    return label_photos([photos], out, **options)


def command(photos: Path, out: Path, *options: str) -> list[str]:
    names = ["--enhancer=brighten", "--scorer=brightness"]
    return ["label", str(photos), f"--out={out}", *names, *options]


def contents(folder: Path) -> dict[str, bytes]:
    """Files by name; hidden ones may be what a killed process left half-written."""
    files = (path for path in folder.rglob("[!.]*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def label_bytes(folder: Path) -> bytes:
    """The label set, whatever its shards."""
    return label_files.label_bytes(label_files.read_table(Folder(folder)))


def assert_same_labels(one: Path, other: Path) -> None:
    assert label_bytes(one) == label_bytes(other)
    assert contents(one / "enhanced") == contents(other / "enhanced")
    pd.testing.assert_frame_equal(read_rejects(one), read_rejects(other))


def environment(tmp_path: Path, seconds: float = 0) -> dict[str, str]:
    """Where Python finds the fakes, also in the processes that a process starts."""
    site = tmp_path / "site"
    if not site.exists():  # once: a process that starts meanwhile must not find half a file
        site.mkdir()
        (site / "sitecustomize.py").write_text(
            "import pipelines.enhancers, pipelines.scorers\n"
            "import label_models\n"
            "pipelines.enhancers.ENHANCERS.update(label_models.ENHANCERS)\n"
            "pipelines.scorers.SCORERS['brightness'] = 'label_models:Brightness'\n"
        )
    here = Path(__file__).parent
    path = os.pathsep.join([str(site), str(here), str(here.parents[1])])
    binaries = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | {
        "PYTHONPATH": path,
        "PATH": binaries,
        "TEST_ENHANCER_SECONDS": str(seconds),
    }


def start(
    arguments: list[str], tmp_path: Path, seconds: float, cwd: Path | None = None
) -> subprocess.Popen[str]:
    """Run ``trigger`` as its console script does, with the fakes, as have the workers."""
    script = "import sys; from trigger.cli.app import main; sys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-P", "-c", script, *arguments],
        cwd=cwd,
        env=environment(tmp_path, seconds),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_labels(out: Path, process: subprocess.Popen[str], shards: int) -> None:
    while len(list((out / "labels").glob("*.parquet"))) < shards:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
