"""Ask a program that we compare with: a script of benchmarks/peer, run in .venv-peers, one thread, JSON in and out."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from common.errors import GlyphoneError

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv-peers" / "bin" / "python"


def ask(script: str, question: Any) -> Any:
    """Answer of ``benchmarks/peer/<script>.py``, which reads a JSON value and prints one as its last line.

    Raises:
        GlyphoneError: the peers are not installed, or the script failed.
    """
    if not PYTHON.exists():
        raise GlyphoneError(f"{PYTHON}: no such file; `make peers` installs the programs to compare with")
    path = ROOT / "benchmarks" / "peer" / f"{script}.py"
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        [PYTHON, path], input=json.dumps(question), capture_output=True, text=True, env={**os.environ, **threads}
    )
    if done.returncode:
        raise GlyphoneError(f"{path} failed: {' '.join(done.stderr.splitlines()[-3:])}")
    return json.loads(done.stdout.splitlines()[-1])
