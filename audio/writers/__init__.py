"""Formats that only speech has, for transcribe, by name."""

from collections.abc import Callable

WRITERS: dict[str, Callable[..., None]] = {}
