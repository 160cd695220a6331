"""Compilation by numba, kept on disk where some folder can be written."""

import hashlib
import inspect
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import numba

# Whose compiled functions call each other.
_ROOMS = (Path(__file__).parent, Path(__file__).parents[1] / "language")


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Compile at the first call; later processes load the result from ``__pycache__`` or the user's cache folder.

    Released from the interpreter's lock, so threads run side by side. Compiled functions may call those of other files
    in their folder, in ``common/decoding`` and in ``common/language``. ``options`` are those of ``numba.njit``.
    """
    # Numba compiles a function anew when its own file changes, but not when a function that it calls does.
    digest = _digest(frozenset({Path(inspect.getfile(function)).parent, *_ROOMS}))
    function.__qualname__ = f"{function.__qualname__}.{digest}"
    try:
        made = numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # "no locator available": a read-only installation without a home; compile in each process
        return numba.njit(nogil=True, **options)(function)
    if hasattr(made, "_cache"):  # not with NUMBA_DISABLE_JIT, which gives the function as it is
        made._cache.save_overload = partial(_kept_if_it_can_be, made._cache.save_overload)
    return made


def _kept_if_it_can_be(save: Callable[..., None], *compiled: Any) -> None:
    with suppress(OSError):  # a full disk; it is compiled, and the next process compiles it again
        save(*compiled)


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile as a part of its callers: a call with many arrays costs more than it does, by counting references."""
    return numba.njit(nogil=True, inline="always")(function)


@cache
def _digest(folders: frozenset[Path]) -> str:
    """Of all Python files in the folders."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
