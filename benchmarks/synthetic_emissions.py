"""Emissions that are like a trained network's, or flat: made by ``decoding/make_emissions.py`` of the data folder."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers import ROOT
from common.errors import GlyphoneError


@contextmanager
def synthetic_emissions(kind: str, num_labels: int, num_samples: int = 16, seed: int = 0) -> Iterator[Path]:
    """A file with ``log_probs`` float32 [N, 400, V], blank 0; gone afterwards.

    Args:
        kind: ``peaky`` or ``flat``.

    Raises:
        GlyphoneError: the data folder (GLYPHONE_DATA, else ../shared/data) does not hold the script.
    """
    data = Path(os.environ.get("GLYPHONE_DATA") or ROOT.parent / "shared" / "data")
    script = data / "decoding" / "make_emissions.py"
    if not script.exists():
        raise GlyphoneError(f"{script}: no such file; GLYPHONE_DATA names the folder that holds decoding/")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "emissions.npz"
        options = {"kind": kind, "vocab": num_labels, "n": num_samples, "seed": seed}
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        subprocess.run([sys.executable, script, path, *arguments], check=True, stdout=subprocess.DEVNULL)
        yield path
