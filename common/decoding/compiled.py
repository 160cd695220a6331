"""Compilation by numba, kept on disk where some folder can be written."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Compile at the first call; later processes load the result from ``__pycache__`` or the user's cache folder.

    Released from the interpreter's lock, so threads run side by side. ``options`` are those of ``numba.njit``.
    """
    try:
        return numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # "no locator available": a read-only installation without a home; compile in each process
        return numba.njit(nogil=True, **options)(function)
