"""What a benchmark hands back, and the one line of JSON that shows it."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from common.files import to_json

PACKAGES = ("dvc", "numba", "numpy", "opencv-python-headless", "pyarrow", "torch", "torchaudio")


@dataclass(frozen=True)
class Result:
    """One figure and what stands behind it.

    Attributes:
        value: the figure; a rate is a fraction.
        unit: of the value, e.g. ``fraction``, ``s``, ``ratio``.
        higher_is_better: which way is up.
        detail: intervals, counts, seconds, seed, command: what a reader needs to judge the figure.
    """

    value: float
    unit: str
    higher_is_better: bool
    detail: Mapping[str, Any] = field(default_factory=dict)


def line(name: str, result: Result) -> str:
    """The JSON line of a result."""
    return to_json(
        {
            "name": name,
            "value": result.value,
            "unit": result.unit,
            "higher_is_better": result.higher_is_better,
            "detail": dict(result.detail),
            "versions": versions(),
            "host": host(),
        }
    )


def versions() -> dict[str, str]:
    """Releases of Python and of the packages that decide a figure."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def host() -> dict[str, Any]:
    """The kind of machine, not its name: processor, cores, memory in GiB, system."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def processor() -> str:
    """The processor's model name; Linux says it only in /proc."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for row in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if row.startswith("model name"):
                return row.partition(":")[2].strip()
    return platform.processor() or "unknown"
