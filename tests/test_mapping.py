import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import GlyphoneError, SampleError
from common.mapping import CHUNKS_IN_FLIGHT, _starting_workers, map_beside, map_ordered, usable_cores

REPOSITORY = Path(__file__).parents[1]


def square(number: int) -> int:
    return number * number


def slow_when_even(number: int) -> int:
    time.sleep(0.02 if number % 2 == 0 else 0)
    return number


def scaled(factor: int, number: int) -> int:
    return factor * number


def refuse_seven(number: int) -> int:
    if number == 7:
        raise SampleError("unreadable", "number 7 cannot be read")
    return number


def die_at_five(number: int) -> int:
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def thread_variable(number: int) -> str | None:
    return os.environ.get("OMP_NUM_THREADS")


def torch_threads(number: int) -> int:
    return sys.modules["torch"].get_num_threads()


def pid(number: int) -> int:
    time.sleep(0.05)
    return os.getpid()


@settings(max_examples=60)
@given(
    items=st.lists(st.integers(), max_size=30),
    chunk_size=st.integers(1, 9),
    num_workers=st.sampled_from([0, 1]),
    sized=st.booleans(),
)
def test_in_this_process_it_is_map(items: list[int], chunk_size: int, num_workers: int, sized: bool) -> None:
    given_items = items if sized else iter(items)
    found = list(map_ordered(square, given_items, num_workers=num_workers, chunk_size=chunk_size))
    assert found == [square(item) for item in items]


@pytest.mark.parametrize(("chunk_size", "num_items"), [(1, 23), (4, 23), (100, 23)])
def test_results_come_in_order_from_workers(chunk_size: int, num_items: int) -> None:
    found = list(map_ordered(slow_when_even, iter(range(num_items)), num_workers=2, chunk_size=chunk_size))
    assert found == list(range(num_items))


def test_partial_functions_travel() -> None:
    assert list(map_ordered(partial(scaled, 3), range(5), num_workers=2, chunk_size=2)) == [0, 3, 6, 9, 12]


def test_the_work_is_done_elsewhere_and_by_several() -> None:
    pids = set(map_ordered(pid, range(40), num_workers=2, chunk_size=1))
    assert os.getpid() not in pids and len(pids) == 2
    # Nothing that is not needed is started: one chunk stays here.
    assert set(map_ordered(pid, range(4), num_workers=2, chunk_size=4)) == {os.getpid()}


def test_workers_run_one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    before = dict(os.environ)
    assert set(map_ordered(thread_variable, range(4), num_workers=2, chunk_size=1)) == {"1"}
    assert dict(os.environ) == before


def test_one_thread_in_this_process_too() -> None:
    """So the arithmetic is the same for any number of workers; afterwards all is as it was."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert list(map_ordered(torch_threads, range(3), num_workers=1)) == [1, 1, 1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_an_endless_supply_is_taken_a_little_ahead() -> None:
    taken = itertools.count()
    seen = []

    def supply():
        for item in taken:
            seen.append(item)
            yield item

    results = map_ordered(square, supply(), num_workers=2, chunk_size=3)
    for step in range(30):
        assert next(results) == step * step
        assert len(seen) <= step + (2 * CHUNKS_IN_FLIGHT + 1) * 3
    results.close()


@pytest.mark.parametrize("num_workers", [1, 2])
def test_an_error_comes_in_its_turn(num_workers: int) -> None:
    results = map_ordered(refuse_seven, itertools.count(), num_workers=num_workers, chunk_size=1)
    assert list(itertools.islice(results, 7)) == list(range(7))
    with pytest.raises(SampleError, match="number 7 cannot be read") as caught:
        next(results)
    assert caught.value.code == "unreadable"


def test_a_killed_worker_is_one_clear_line() -> None:
    results = map_ordered(die_at_five, range(40), num_workers=2, chunk_size=1)
    with pytest.raises(
        GlyphoneError, match=r"a worker process died after \d+ results .* fewer than 2 workers"
    ) as caught:
        list(results)
    assert "\n" not in str(caught.value)


def test_of_a_lone_worker_that_is_killed_no_fewer_are_asked_for() -> None:
    with pytest.raises(GlyphoneError, match=r"a worker process died after 4 results \(killed, or out of memory\?\)$"):
        list(map_beside(die_at_five, range(40), 1))


@pytest.mark.parametrize(
    ("changes", "message"), [({"num_workers": -1}, "num_workers"), ({"chunk_size": 0}, "chunk_size")]
)
def test_numbers_out_of_range(changes: dict, message: str) -> None:
    with pytest.raises(GlyphoneError, match=message):
        map_ordered(square, [1], **changes)


def test_a_cluster_needs_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(GlyphoneError, match=r"cluster tcp://x:1: dask.distributed is not installed"):
        map_ordered(square, [1], cluster="tcp://x:1")


def test_a_cluster_maps_as_well() -> None:
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        assert list(map_ordered(square, range(50), cluster=address, chunk_size=4)) == [n * n for n in range(50)]
        with pytest.raises(SampleError, match="number 7"):
            list(map_ordered(refuse_seven, range(50), cluster=address, chunk_size=4))


def test_usable_cores() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("environment", "call", "shown"),
    [
        ({}, "range(9), progress='extract'", ["extract", "9/9"]),
        ({}, "iter(range(9)), progress='extract'", ["extract", "9it"]),
        ({"GLYPHONE_QUIET": "1"}, "range(9), progress='extract'", []),
        ({}, "range(9)", []),
    ],
)
def test_progress(environment: dict[str, str], call: str, shown: list[str]) -> None:
    code = f"from common.mapping import map_ordered; print(len(list(map_ordered(str, {call}, num_workers=1))))"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TQDM_", "GLYPHONE_"))}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY, env=kept | environment
    )
    assert done.stdout == "9\n"
    assert all(part in done.stderr for part in shown) and bool(done.stderr) == bool(shown)


SCRIPT = """
import os, sys, time
from common.errors import run
from common.mapping import map_ordered

def work(number):
    os.write(1, f"worker {os.getpid()}\\n".encode())  # one write: lines of two processes do not mix
    time.sleep(0.1)
    return number

def main():
    for _ in map_ordered(work, range(10_000), num_workers=2, chunk_size=1):
        pass

if __name__ == "__main__":
    run(main)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_worker_outlives_its_parent(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """Ctrl-C in a terminal reaches the whole process group and ends in one line; a kill reaches the parent alone."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        start_new_session=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        workers: set[int] = set()
        while len(workers) < 2:
            workers.add(int(process.stdout.readline().split()[1]))
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        # The pipes end when the last process that holds them has ended.
        process.stdout.read()
        errors = process.stderr.read()
        assert process.wait(timeout=20) == code
        if number == signal.SIGINT:
            assert errors == "interrupted: start the same command again\n"
    deadline = time.monotonic() + 10
    while alive := {each for each in workers if is_alive(each)}:
        assert time.monotonic() < deadline, f"still alive: {alive}"
        time.sleep(0.05)


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_ctrl_c_waits_until_workers_stand() -> None:
    """Another thread takes the signal, though it is blocked in the one that starts workers."""
    inside, whole = threading.Event(), []

    def interrupt() -> None:
        inside.wait(10)
        os.kill(os.getpid(), signal.SIGINT)

    other = threading.Thread(target=interrupt)
    other.start()
    with pytest.raises(KeyboardInterrupt), _starting_workers():
        inside.set()
        other.join(10)
        for _ in range(1000):  # time for an exception to come
            time.sleep(0)
        whole.append(True)
    assert whole
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, set())
