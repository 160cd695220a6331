"""The number of threads is the fastest of those tried, stays for a run that goes on, and leaves the weights alone."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.training import threads, trials
from common.training.threads import NUM_RUNS, WORTH, Threads, choose_threads
from tests.test_training import FAST, run


class Clock:
    """Stands still but for a run, which takes the time of its number of threads."""

    def __init__(self, seconds: Callable[[int], float]) -> None:
        self.seconds = seconds
        self.now = 0.0
        self.runs: list[int] = []

    def run(self) -> None:
        self.runs.append(torch.get_num_threads())
        self.now += self.seconds(torch.get_num_threads())

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _number_of_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def chosen(clock: Clock, most: int, state: Path, key: str = "machine") -> Threads:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "time", SimpleNamespace(perf_counter=clock.perf_counter))
        return choose_threads(most, clock.run, state=state, key={"of": key})


@given(most=st.integers(1, 9), taken=st.lists(st.floats(0.1, 10), min_size=9, max_size=9))
def test_more_threads_are_taken_as_long_as_each_step_up_is_worth_it(most, taken):
    clock = Clock(lambda number: taken[number - 1])
    before = torch.get_num_threads()
    with TemporaryDirectory() as folder:
        found = chosen(clock, most, Path(folder))
    assert torch.get_num_threads() == before
    numbers = [each for each in (1, 2, 4, 8) if each < most] + [most]
    expected = numbers[0]
    for number in numbers[1:]:
        if taken[number - 1] > WORTH * taken[expected - 1]:
            break
        expected = number
    assert found.number == expected
    assert found.seconds == {number: pytest.approx(taken[number - 1]) for number in dict.fromkeys(clock.runs)}
    assert len(clock.runs) == len(found.seconds) * (NUM_RUNS + 1)


def test_one_core_needs_no_trial(tmp_path):
    clock = Clock(lambda number: 1.0)
    assert chosen(clock, 1, tmp_path) == Threads(1) and not clock.runs


def test_a_run_that_goes_on_keeps_its_number(tmp_path):
    assert chosen(Clock(lambda number: 1 / number), 2, tmp_path).number == 2
    slower_now = Clock(lambda number: float(number))
    assert chosen(slower_now, 2, tmp_path) == Threads(2, {1: 1.0, 2: 0.5}) and not slower_now.runs
    assert chosen(slower_now, 2, tmp_path, "another machine").number == 1


def test_a_trial_that_fails_leaves_the_number_as_it_was(tmp_path):
    torch.set_num_threads(3)

    def fails() -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        choose_threads(2, fails, state=tmp_path, key={})
    assert torch.get_num_threads() == 3 and not list(tmp_path.iterdir())


def test_the_trial_leaves_weights_and_random_numbers_alone(tmp_path, monkeypatch, capsys):
    tried = []

    def one(most: int, compute: Callable[[], None], **where: object) -> Threads:
        started = time.perf_counter()
        compute()
        tried.append(most)
        return Threads(1, {1: time.perf_counter() - started})

    monkeypatch.setattr(trials, "choose_threads", one)
    expected = run(tmp_path / "set", FAST.model_copy(update={"epochs": 2}))
    assert not tried and "threads: 1\n" in capsys.readouterr().err
    monkeypatch.setattr("common.training.loop.usable_cores", lambda: 2)
    found = run(tmp_path / "open", FAST.model_copy(update={"epochs": 2, "num_threads": 0}))
    assert tried == [2] and found.num_threads == 1
    assert "threads: 1, the fastest of those tried" in capsys.readouterr().err
    assert all(torch.equal(found.weights[name], expected.weights[name]) for name in expected.weights)
