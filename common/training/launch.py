"""A command as several processes that train together: started, watched, and ended together."""

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from common.errors import GlyphoneError

# Environment of the processes: file descriptor that closes when the launcher ends; the file where they meet.
LIFELINE = "GLYPHONE_LIFELINE"
RENDEZVOUS = "GLYPHONE_RENDEZVOUS"
# Exit code of a process that lost another one: not the cause, whose code is waited for so long.
LOST = 75
# What is killed cannot free its semaphores; the helper of Python that does says so behind the line that counts.
QUIET = "ignore:resource_tracker:UserWarning"
GRACE_S = 10.0
# So long the first process has to come to an error that another one came to.
SAME_ERROR_S = 2.0


def launch(num_processes: int, command: Sequence[str]) -> int:
    """Run a command as ``num_processes`` processes with torchrun's environment variables; returns their exit code.

    The first process shows what it says; of the others only one that failed is heard. If one ends badly, all end.

    Raises:
        GlyphoneError: a process was killed.
    """
    lifeline, held = os.pipe()
    processes: list[tuple[subprocess.Popen[bytes], IO[bytes] | None]] = []
    with tempfile.TemporaryDirectory(prefix="glyphone-") as folder:
        common = {
            "WORLD_SIZE": str(num_processes),
            "LOCAL_WORLD_SIZE": str(num_processes),
            LIFELINE: str(lifeline),
            RENDEZVOUS: str(Path(folder) / "rendezvous"),
            "PYTHONWARNINGS": ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), QUIET))),
        }
        if sys.platform == "linux":
            common["GLOO_SOCKET_IFNAME"] = os.environ.get("GLOO_SOCKET_IFNAME", "lo")
        ended: queue.Queue[tuple[int, int]] = queue.Queue()
        try:
            for rank in range(num_processes):
                said: IO[bytes] | None = tempfile.TemporaryFile() if rank else None  # noqa: SIM115 (closed below)
                environment = os.environ | common | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                process = subprocess.Popen(command, env=environment, stderr=said, pass_fds=[lifeline])
                processes.append((process, said))
                threading.Thread(target=_wait, args=(process, rank, ended), daemon=True).start()
            return _watch(ended, num_processes, [said for _, said in processes])
        finally:
            for process, heard in processes:
                process.kill()
                process.wait()
                if heard is not None:
                    heard.close()
            os.close(lifeline)
            os.close(held)


def _wait(process: subprocess.Popen[bytes], rank: int, ended: queue.Queue[tuple[int, int]]) -> None:
    ended.put((rank, process.wait()))


def _watch(ended: queue.Queue[tuple[int, int]], num_processes: int, said: Sequence[IO[bytes] | None]) -> int:
    lost: int | None = None
    for _ in range(num_processes):
        try:
            rank, code = ended.get(timeout=None if lost is None else GRACE_S)
        except queue.Empty:
            break
        if code == LOST:
            lost = rank
        elif code < 0:
            raise GlyphoneError(
                f"process {rank + 1} of {num_processes} was killed by {signal.Signals(-code).name}, training ended; "
                "start the same command again to go on, with as many processes or others"
            )
        elif code:
            heard = said[rank]
            if heard is not None and not _first_fails_too(ended):
                heard.seek(0)
                sys.stderr.write(heard.read().decode("utf-8", "replace"))
            return code
    if lost is not None:
        raise GlyphoneError(
            f"process {lost + 1} of {num_processes} lost the others, the training ended; start the same command again"
        )
    return 0


def _first_fails_too(ended: queue.Queue[tuple[int, int]]) -> bool:
    """Whether the first process ends with an error of its own; what all complain of is heard once."""
    try:
        while True:
            rank, code = ended.get(timeout=SAME_ERROR_S)
            if rank == 0:
                return code > 0 and code != LOST
    except queue.Empty:
        return False


def hold_on_to_launcher() -> None:
    """In a process of a launch: end when the launcher ends, however it does; leave Ctrl-C to it."""
    lifeline = os.environ.get(LIFELINE)
    if lifeline is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_end_with_launcher, args=(int(lifeline),), daemon=True).start()


def _end_with_launcher(lifeline: int) -> None:
    os.read(lifeline, 1)  # nobody writes: it returns when the launcher is gone
    os._exit(LOST)
