"""Compilation by numba, kept on disk where some folder can be written."""

import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call; later processes load the result from ``__pycache__`` or the user's cache folder.

    Released from the interpreter's lock, so threads run side by side. Compiled functions may call those of other files
    in their folder and in this one.
    """
    # Numba compiles a function anew when its own file changes, but not when a function that it calls does.
    folders = {Path(inspect.getfile(function)).parent, Path(__file__).parent}
    function.__qualname__ = ".".join([function.__qualname__, *sorted(map(_digest, folders))])
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # "no locator available": a read-only installation without a home; compile in each process
        return numba.njit(nogil=True)(function)


@cache
def _digest(folder: Path) -> str:
    """Of the Python files in a folder; of none, where they cannot be read: numba then keeps nothing either."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
