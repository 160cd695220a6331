"""Ask a program that we compare with: a script of benchmarks/peer, in an environment of its own, JSON in and out."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.errors import GlyphoneError

ROOT = Path(__file__).resolve().parent.parent
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LAST_LINES = 3  # of the standard error of a script that failed


def ask(script: str, question: Any, environment: str = "peers", threads: int = 1, shows: bool = False) -> Any:
    """Answer of ``benchmarks/peer/<script>.py``, which reads a JSON value and prints one as its last line.

    Args:
        environment: the script runs with the Python of ``.venv-<environment>``.
        threads: most threads that its libraries may take; a script may take fewer.
        shows: pass its standard error on as it comes.

    Raises:
        GlyphoneError: the peers are not installed, or the script failed.
    """
    python = peer_python(environment)
    path = ROOT / "benchmarks" / "peer" / f"{script}.py"
    process = subprocess.Popen(
        [python, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if shows else subprocess.PIPE,
        text=True,
        env=thread_limits(threads),
    )
    try:
        output, errors = process.communicate(json.dumps(question))
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if process.returncode:
        reason = " ".join(errors.splitlines()[-LAST_LINES:]) if errors else f"exit code {process.returncode}"
        raise GlyphoneError(f"{path} failed: {reason}")
    return json.loads(output.splitlines()[-1])


def peer_python(environment: str) -> Path:
    """The Python of ``.venv-<environment>``. Raises GlyphoneError where it is not installed, or not to the end."""
    folder, lock = ROOT / f".venv-{environment}", ROOT / "requirements" / f"{environment}.txt"
    installed = folder / "installed.txt"  # a copy of the lock, written last
    if not installed.is_file() or installed.read_bytes() != lock.read_bytes():
        raise GlyphoneError(
            f"{folder}: not there, or not all of {lock.name} is in it; `make peers PEERS={environment}` installs it"
        )
    return folder / "bin" / "python"


def thread_limits(threads: int, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment (this process's own by default) with so many threads for numeric libraries."""
    return {**(os.environ if base is None else base), **dict.fromkeys(THREAD_VARIABLES, str(threads))}
