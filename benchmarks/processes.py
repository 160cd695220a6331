"""Run a command and watch it: seconds, peak memory and processor time of it and all processes below it."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from common.errors import GlyphoneError


@dataclass(frozen=True)
class Usage:
    """What a command took.

    Attributes:
        seconds: wall time.
        cpu_seconds: user and system time of all its processes.
        peak_memory_bytes: greatest sum over its processes at one instant, a page shared by several counted once
            (PSS; where the system does not tell, RSS, which counts it once a process). 0 where nobody looked: the
            kernel's own maximum would count this process too, which it was a copy of before it began.
        output: its standard output and error.
    """

    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    output: str


def watch(command: list[str], folder: Path, environment: Mapping[str, str], sample_seconds: float = 0.0) -> Usage:
    """Run a command to its end; what it prints goes to standard error as it comes.

    Args:
        sample_seconds: between looks at the memory of all processes, which cost time; 0: none.

    Raises:
        GlyphoneError: it failed.
    """
    started = time.monotonic()
    lines: list[str] = []
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
    peak, ended = 0, 0
    try:
        while not ended:
            if sample_seconds:
                peak = max(peak, tree_memory(process.pid))
                time.sleep(sample_seconds)
            ended, status, used = os.wait4(process.pid, os.WNOHANG if sample_seconds else 0)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    reader.join()
    if process.returncode:
        raise GlyphoneError(f"`{' '.join(command)}` in {folder} ended with exit code {process.returncode}")
    return Usage(
        seconds=seconds,
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_memory_bytes=peak,
        output="".join(lines),
    )


def tree_memory(pid: int) -> int:
    """Memory in bytes of a process and all below it."""
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    memory = 0
    for process in processes:
        try:
            information = process.memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it ended between the list and the question
        memory += getattr(information, "pss", information.rss)
    return memory
