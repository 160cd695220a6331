"""A pure function over many items: in this process, a pool of processes or a Dask cluster; in order, in flat memory."""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from itertools import islice
from multiprocessing.connection import wait
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from common.errors import GlyphoneError

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNKS_IN_FLIGHT = 3  # a worker: one at work, one waiting for it, one done and waiting for its turn
CHUNKS_IN_FLIGHT_ON_CLUSTER = 256
QUIET_VARIABLE = "GLYPHONE_QUIET"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def map_ordered(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    num_workers: int | None = None,
    cluster: str | None = None,
    chunk_size: int = 8,
    progress: str | None = "",
) -> Generator[Result, None, None]:
    """Yield function(item) for each item, in the items' order, whatever worker was first.

    Args:
        function: pure and picklable (of a module, or a ``functools.partial`` of one); it runs with one thread each.
        items: may be endless: a few chunks a worker are taken ahead of the consumer, never more.
        num_workers: processes; None takes one a usable core, 0 and 1 stay in this process.
        cluster: address of a Dask scheduler, which then replaces the local pool.
        chunk_size: items that travel together.
        progress: what the bar on standard error is called; without a name a bar shows on a terminal only, and with
            None not there either. None shows where the environment has GLYPHONE_QUIET=1.

    Raises:
        GlyphoneError: a worker process died; the cluster cannot be reached or dask.distributed is missing; a number
            is out of range. What ``function`` raises comes out in its turn, and ends the whole.
    """
    if num_workers is not None and num_workers < 0:
        raise GlyphoneError(f"num_workers is {num_workers}, must be 0 or more")
    if chunk_size < 1:
        raise GlyphoneError(f"chunk_size is {chunk_size}, must be 1 or more")
    if cluster:
        results = _on_cluster(function, _chunks(items, chunk_size), _connect(cluster), cluster)
    else:
        num_workers = usable_cores() if num_workers is None else num_workers
        if isinstance(items, Sized):
            num_workers = min(num_workers, -(-len(items) // chunk_size))
        if num_workers <= 1:
            results = map(_run_alone, _repeat(function), _chunks(items, 1))
        else:
            results = _on_processes(function, _chunks(items, chunk_size), num_workers)
    return _with_progress(results, len(items) if isinstance(items, Sized) else None, progress)


def map_beside(
    function: Callable[[Item], Result], items: Iterable[Item], num_workers: int, chunk_size: int = 4
) -> Generator[Result, None, None]:
    """As ``map_ordered``, in processes of their own even for one worker, and without a bar.

    They stay a few chunks ahead of who asks, and no more. Closing the generator ends them; so does the parent's end.
    """
    with closing(_on_processes(function, _chunks(items, chunk_size), num_workers)) as chunks:
        for results in chunks:
            yield from results


def usable_cores() -> int:
    """Cores that this process may use: its affinity, cut by the quota of its control group (containers)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))


def _repeat(value: Any) -> Iterator[Any]:
    while True:
        yield value


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _with_progress(
    chunks: Iterable[list[Result]], total: int | None, progress: str | None
) -> Generator[Result, None, None]:
    shown = bool(progress) or (progress is not None and sys.stderr.isatty())
    if not shown or os.environ.get(QUIET_VARIABLE) == "1":
        for chunk in chunks:
            yield from chunk
        return
    from tqdm import tqdm

    # A log file gets a line every ten seconds, a terminal a smooth bar.
    interval_s = 0.1 if sys.stderr.isatty() else 10.0
    with tqdm(total=total, desc=progress or None, file=sys.stderr, mininterval=interval_s, maxinterval=60) as bar:
        for chunk in chunks:
            for result in chunk:
                bar.update()  # before: nobody comes back after the last one, who knows how many there are
                yield result


def _run_chunk(function: Callable[[Item], Result], chunk: list[Item]) -> list[Result]:
    """Runs in a worker."""
    _use_one_thread()
    return [function(item) for item in chunk]


def _use_one_thread() -> None:
    """Keep the libraries that are already imported to one thread; the others obey THREAD_VARIABLES."""
    if (torch := sys.modules.get("torch")) is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)
    if (cv2 := sys.modules.get("cv2")) is not None and cv2.getNumThreads() != 1:
        cv2.setNumThreads(0)


def _run_alone(function: Callable[[Item], Result], chunk: list[Item]) -> list[Result]:
    """Run in this process, with one thread as in a worker, so that the arithmetic is the same to the last bit."""
    torch, cv2 = sys.modules.get("torch"), sys.modules.get("cv2")
    torch_threads = torch.get_num_threads() if torch is not None else 1
    cv2_threads = cv2.getNumThreads() if cv2 is not None else 1
    try:
        return _run_chunk(function, chunk)
    finally:
        if torch is not None and torch_threads > 1:
            torch.set_num_threads(torch_threads)
        if cv2 is not None and cv2_threads > 1:
            cv2.setNumThreads(cv2_threads)


def _ordered(
    executor: Executor, function: Callable[[Item], Result], chunks: Iterator[list[Item]], num_in_flight: int
) -> Iterator[list[Result]]:
    waiting: deque[Future[list[Result]]] = deque()
    while True:
        while len(waiting) < num_in_flight and (chunk := next(chunks, None)) is not None:
            with _starting_workers():
                waiting.append(executor.submit(_run_chunk, function, chunk))
        if not waiting:
            return
        yield waiting.popleft().result()


def _on_processes(
    function: Callable[[Item], Result], chunks: Iterator[list[Item]], num_workers: int
) -> Generator[list[Result], None, None]:
    # Spawned and not forked: threads, and torch with them, do not survive a fork.
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    with _uninterrupted():
        executor = ProcessPoolExecutor(num_workers, mp_context=context, initializer=_start_worker)
    num_done = 0
    try:
        for results in _ordered(executor, function, chunks, num_workers * CHUNKS_IN_FLIGHT):
            num_done += len(results)
            yield results
    except BrokenProcessPool:
        advice = f": try fewer than {num_workers} workers, or 1 to see the item that does it"
        raise GlyphoneError(
            f"a worker process died after {num_done} results (killed, or out of memory?){advice * (num_workers > 1)}"
        ) from None
    except BaseException:
        # An error, Ctrl-C, or a consumer that has enough: the function is pure, so nothing is lost with its workers.
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _starting_workers() -> Iterator[None]:
    """Workers start while a chunk is handed in: one thread each from their first import on, and deaf to Ctrl-C.

    A child inherits the environment and the blocked signals of the thread that starts it.
    """
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    blocks = hasattr(signal, "pthread_sigmask")
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if blocks else set()
    try:
        with _uninterrupted():
            yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        if blocks:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C within is answered behind it: locks and processes half made would be left over.

    Blocking the signal in this thread is not enough: any other thread takes it, and Python answers it in this one.
    """
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield  # only the main thread answers; what is no function was never interrupted by an exception
        return
    came: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda *signalled: came.append(signalled))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if came:
            usual(*came[-1])


def _start_worker() -> None:
    """Runs first in each worker: Ctrl-C is the parent's business, and a worker never outlives its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent.sentinel,), daemon=True).start()


def _die_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise GlyphoneError(
            f"cluster {address}: dask.distributed is not installed; install it with: pip install distributed"
        ) from None
    try:
        return Client(address)
    except (OSError, ValueError) as error:
        raise GlyphoneError(f"cluster {address}: cannot be reached: {error}") from None


def _on_cluster(
    function: Callable[[Item], Result], chunks: Iterator[list[Item]], client: Any, address: str
) -> Iterator[list[Result]]:
    from distributed.scheduler import KilledWorker

    try:
        # pure=False: Dask shall not merge two items that are equal, nor hash them to find out.
        with client.get_executor(pure=False) as executor:
            yield from _ordered(executor, function, chunks, CHUNKS_IN_FLIGHT_ON_CLUSTER)
    except KilledWorker as error:
        raise GlyphoneError(f"cluster {address}: a worker died: {error}") from None
    finally:
        client.close()
