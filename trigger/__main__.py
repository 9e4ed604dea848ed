"""``python -m trigger``."""

import sys
from pathlib import Path

# Python looks for modules in the current folder first, where a photo folder may hold any file.
if not sys.flags.safe_path and Path(sys.path[0]).resolve() != Path(__file__).resolve().parents[1]:
    del sys.path[0]

from trigger.cli.app import run

run()
