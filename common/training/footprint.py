"""Memory: what the machine still has, what a piece of work takes at most, and giving back what is free."""

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch

GIB = 2**30
# Between two looks at the memory of the process, where the system keeps no highest mark that can be reset.
LOOK_S = 0.002
CGROUP = Path("/sys/fs/cgroup")


def resident_bytes() -> int:
    """Main memory of this process."""
    return psutil.Process().memory_info().rss


def free_bytes(device: torch.device) -> int:
    """What this process may still take: of the GPU, or of main memory within the limit of its control group."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    return min(psutil.virtual_memory().available, _free_in_control_group())


def _free_in_control_group() -> int:
    """Version 2 of Linux's control groups, of a container; elsewhere there is no limit."""
    try:
        limit = (CGROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((CGROUP / "memory.current").read_text(encoding="ascii"))
        rows = (line.split() for line in (CGROUP / "memory.stat").read_text(encoding="ascii").splitlines())
        cached = {name: int(value) for name, value in rows}.get("inactive_file", 0)
        return sys.maxsize if limit == "max" else max(0, int(limit) - used + cached)
    except (OSError, ValueError):
        return sys.maxsize


class Peak:
    """Attributes: bytes: the most that was taken at once, of the whole process; on a GPU of what torch holds."""

    bytes = 0


@contextmanager
def peak_of(device: torch.device) -> Iterator[Peak]:
    """What the work within takes at most; its ``bytes`` are there afterwards."""
    peak = Peak()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield peak
        peak.bytes = torch.cuda.max_memory_allocated(device)
    elif _reset_highest():
        yield peak
        peak.bytes = _highest_bytes()
    else:
        done = threading.Event()
        watcher = threading.Thread(target=_watch, args=(peak, done), daemon=True)
        watcher.start()
        try:
            yield peak
        finally:
            done.set()
            watcher.join()


def taken_bytes(device: torch.device) -> int:
    """What ``Peak`` counts, now."""
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else resident_bytes()


def _reset_highest() -> bool:
    """Linux keeps the highest resident memory of a process; writing 5 there lets it begin anew (man 5 proc)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def highest_bytes(device: torch.device) -> int:
    """The most that this process took so far, at least since the last ``peak_of``: as ``Peak`` counts."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return _highest_bytes() if Path("/proc/self/status").exists() else resident_bytes()


def _highest_bytes() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _watch(peak: Peak, done: threading.Event) -> None:
    while True:
        peak.bytes = max(peak.bytes, resident_bytes())
        if done.wait(LOOK_S):
            return


def give_back() -> None:
    """Return freed memory to the system: glibc keeps it in holes, more of them with every new shape of a batch.

    It brings little: after 60 steps of the AN4 network with ever new shapes 1299 to 1394 MB as it is, 1286 with this
    each 20 steps (half a second each time), 1434 with one arena too. What keeps memory flat, one arena and every block
    above 1 or 4 MiB mapped by itself (952 and 1100 MB), takes some 30 % more processor time.
    """
    if sys.platform == "linux" and hasattr(_libc(), "malloc_trim"):
        _libc().malloc_trim(0)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=False)


def processes_here() -> int:
    """Processes on this machine that share its memory and cores in this training (torchrun's environment)."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
