"""Run a command and watch it: seconds, peak memory and processor time of it and all processes below it."""

import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from common.errors import GlyphoneError

SAMPLE_SECONDS = 0.2


@dataclass(frozen=True)
class Usage:
    """What a command took.

    Attributes:
        seconds: wall time.
        cpu_seconds: user and system time of all its processes.
        peak_memory_bytes: greatest sum over its processes at one instant, a page shared by several counted once
            (PSS; where the system does not tell, RSS, which counts it once a process).
        output: its standard output and error.
    """

    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    output: str


def watch(command: list[str], folder: Path, environment: Mapping[str, str]) -> Usage:
    """Run a command to its end; what it prints goes to standard error as it comes.

    Raises:
        GlyphoneError: it failed.
    """
    started = time.monotonic()
    lines: list[str] = []
    peak = 0
    cpu_seconds: dict[tuple[int, float], float] = {}
    process = subprocess.Popen(
        command, cwd=folder, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )

    def forward() -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                lines.append(line)
                print(line, end="", file=sys.stderr, flush=True)

    reader = threading.Thread(target=forward, daemon=True)
    reader.start()
    try:
        while process.poll() is None:
            memory, times = tree_usage(process.pid)
            peak = max(peak, memory)
            cpu_seconds |= times
            time.sleep(SAMPLE_SECONDS)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    reader.join()
    if process.returncode:
        raise GlyphoneError(f"`{' '.join(command)}` in {folder} ended with exit code {process.returncode}")
    return Usage(time.monotonic() - started, sum(cpu_seconds.values()), peak, "".join(lines))


def tree_usage(pid: int) -> tuple[int, dict[tuple[int, float], float]]:
    """Memory in bytes of a process and all below it, and the processor seconds of each, by (pid, start time)."""
    memory = 0
    times: dict[tuple[int, float], float] = {}
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0, {}
    for process in processes:
        try:
            information = process.memory_full_info()
            memory += getattr(information, "pss", information.rss)
            used = process.cpu_times()
            times[process.pid, process.create_time()] = used.user + used.system
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it ended between the list and the question
    return memory, times
