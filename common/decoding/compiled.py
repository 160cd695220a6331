"""Compilation by numba, kept on disk where some folder can be written."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba

# Where compiled functions call each other.
_FOLDERS = ("decoding", "language")


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call; later processes load the result from ``__pycache__`` or the user's cache folder.

    Released from the interpreter's lock, so threads run side by side.
    """
    try:
        made = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # "no locator available": a read-only installation without a home; compile in each process
        return numba.njit(nogil=True)(function)
    # numba looks at the function's own file alone, and would go on with old code of what it calls from others.
    with suppress(AttributeError):  # of a numba that keeps it elsewhere
        file = made._cache._cache_file
        file._source_stamp = (file._source_stamp, _code())
    return made


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile as a part of its callers: a call with many arrays costs more than it does, by counting references."""
    return numba.njit(nogil=True, inline="always")(function)


@lru_cache(maxsize=1)
def _code() -> str:
    """Digest of all files with compiled functions."""
    found = hashlib.sha256()
    for folder in _FOLDERS:
        for path in sorted((Path(__file__).parent.parent / folder).glob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()
