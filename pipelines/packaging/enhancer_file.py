"""A trained network as an enhancer file:
``python -m pipelines.packaging.enhancer_file NETWORK FILE.weights.h5 FILE.tflite``.

The file takes photos of any size, so that ``--enhancer FILE.tflite`` takes it: all but blockcnn,
which sees single blocks, the deblocker, which must be laid on the photo's grid, and the restorer,
which goes over what others have repaired.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from export.tflite import convert_enhancer
from pipelines.training.enhancers.train import load_network
from trigger.cli.app import reported
from trigger.files import write_atomically

NETWORKS = ("arcnn", "fast-arcnn")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and convert."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("weights", type=Path)
    parser.add_argument("target", type=Path)
    args = parser.parse_args(arguments)
    return reported(lambda: _convert(args))


def _convert(args: argparse.Namespace) -> None:
    write_atomically(args.target, convert_enhancer(load_network(args.network, args.weights)))
    sys.stderr.write(f"wrote {args.target}\n")


if __name__ == "__main__":
    sys.exit(main())
