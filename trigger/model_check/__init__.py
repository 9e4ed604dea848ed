"""Check TFLite files from elsewhere, which the runtime itself trusts blindly.

A TFLite runtime reads a damaged file without checking it and may crash, taking the whole process
with it. So a process of its own parses the file, verifies its graph, writes it out again and runs
that copy once. Only the copy is ever loaded here.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path

from trigger.errors import ModelError

SECONDS = 300
"""Time limit of the check, which runs the model a few times."""
_ADVICE = "get the file again, or export it with: trigger export MODEL.keras"
# -P: nothing is imported from the current folder.
_COMMAND = (
    "import sys; sys.path.append(sys.argv[1]); from trigger.model_check.process import main; main()"
)


def checked_model(data: bytes, name: str) -> bytes:
    """Verify a TFLite file that may be damaged, and try it in another process.

    Args:
        data: content of the file.
        name: what errors call it.

    Returns:
        The same model, written out again from its verified content: this is safe to load.

    Raises:
        ModelError: the file is damaged, crashes the runtime, or takes longer than ``SECONDS``.

    Example:
        >>> from pathlib import Path
        >>> from trigger.litert import TfliteFunction
        >>> data = Path("model.tflite").read_bytes()  # doctest: +SKIP
        >>> function = TfliteFunction(checked_model(data, "model.tflite"))  # doctest: +SKIP
    """
    if data[4:8] != b"TFL3":
        raise ModelError(
            f"{name}: is not a TFLite file ({len(data)} bytes, starting with {data[:8]!r}). "
            "Export one with: trigger export MODEL.keras --out trigger.tflite"
        )
    rebuilt, problem = _check(data)
    if problem:
        raise ModelError(f"{name}: the TFLite file {problem}; {_ADVICE}")
    return rebuilt


@functools.lru_cache(maxsize=2)  # a file is often loaded again, such as by each worker thread
def _check(data: bytes) -> tuple[bytes, str]:
    """Return the rebuilt model, or what is wrong with it."""
    import subprocess  # packaged models need it not

    root = str(Path(__file__).parents[2])
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _COMMAND, root],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return b"", f"did not give a result within {SECONDS} seconds"
    except OSError as error:
        raise ModelError(f"{sys.executable}: cannot check the model ({error.strerror})") from error
    verdict, _, content = done.stdout.partition(b"\n")
    if verdict == b"ok" and done.returncode == 0:
        return content, ""
    if verdict == b"refused" and done.returncode == 0:
        return b"", content.decode("utf-8", "replace")
    return b"", f"is damaged: it crashed the runtime (exit code {done.returncode})"
