"""Streams: each sample by its id alone, in order whatever the workers, learnt from, resumed to the same weights."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from common.alphabet import Alphabet, needed_slices
from common.errors import GlyphoneError
from common.network import Network, NetworkSettings
from common.samples import Sample
from common.training.feed import Feed
from common.training.loop import train
from common.training.processes import ALONE
from common.training.samples import Samples
from common.training.settings import TrainingSettings
from common.training.stream import Job, Joined, Stream, stream_id
from pipelines import stream_making
from pipelines.modalities import MODULES, modality
from pipelines.stream_making import drawn_out
from pipelines.streaming import least_slices
from tests.stream_world import counted, make, recipe, stream
from tests.test_training import FAST, SMALL, noisy, toy

SETTINGS = TrainingSettings(**{**FAST.model_dump(), "epochs": 3, "checkpoint_minutes": 0})


def beside(stored: Samples, made: Stream) -> Samples:
    made.first = len(stored.ids)
    return Samples(
        [*stored.ids, *made.ids],
        [*stored.corpora, *["stream"] * len(made)],
        [*stored.texts, *made.texts],
        np.concatenate([stored.lengths, made.lengths]),
        Joined(stored.matrices, made),
        stream=made,
    )


def run(state: Path, num_workers: int = 1, stored: int = 20, chosen: TrainingSettings = SETTINGS):
    torch.manual_seed(3)
    network = Network(SMALL, 6, 4)
    with stream(num_workers, num_epochs=chosen.epochs) as made:
        samples = beside(toy(stored, 0), made)
        return train(network, samples, toy(20, 1), Alphabet("abc"), chosen, lambda x, _: x, 7, state)


def children() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if "spawn_main" in " ".join(each.cmdline())]


@given(num_samples=st.integers(1, 9), num_epochs=st.integers(1, 4), first=st.integers(0, 5))
@settings(max_examples=25)
def test_every_row_of_a_stream_is_in_one_epoch_and_stored_ones_in_all(num_samples, num_epochs, first):
    made = Stream(num_samples, num_epochs, recipe, make, needed_slices, 1)
    made.first = first
    rows = np.arange(first + num_samples * num_epochs)
    count = Counter(int(row) for epoch in range(num_epochs) for row in made.of_epoch(rows, epoch))
    assert all(count[row] == (num_epochs if row < first else 1) for row in rows)
    assert made.texts == [recipe(stream_id(e, i)).text for e in range(num_epochs) for i in range(num_samples)]
    assert (made.lengths >= [needed_slices(text) for text in made.texts]).all()


def test_order_and_content_are_the_same_for_any_number_of_workers():
    order = np.random.default_rng(0).permutation(90)
    found = []
    for num_workers in (1, 3):
        with stream(num_workers) as made:
            made.expect(order)
            found.append([made.matrix(row) for row in order])
    alone = stream()
    for row, one, three in zip(order, *found, strict=True):
        assert np.array_equal(one, three) and np.array_equal(one, alone.matrix(row))
        assert one.dtype == three.dtype


def test_lengths_are_foreseen_from_texts():
    made = stream(num_samples=400)
    lengths = np.array([len(made.matrix(row)) for row in range(60)])
    assert np.abs(made.lengths[:60] / lengths - 1).mean() < 0.05  # five slices a letter, as the toy has them


def test_workers_wait_for_who_asks_and_end_with_the_stream(tmp_path):
    """Back-pressure: without anybody asking again, only a few chunks ahead are made."""
    made = stream(1, num_samples=200, work=partial(counted, folder=str(tmp_path)))
    made.expect(range(600))
    made.matrix(0)
    deadline = time.monotonic() + 20
    while len(list(tmp_path.iterdir())) < 12 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    assert len([each for each in tmp_path.iterdir() if int(each.name.split("-")[1]) != os.getpid()]) <= 20
    assert children()
    made.close()
    assert not children()


def test_an_error_in_a_worker_comes_out_as_its_one_line():
    bad = stream_id(0, 5)  # none of those that are made to learn how long texts become
    with stream(num_samples=400, work=partial(make, failing=bad)) as made:
        made.expect(range(20))
        with pytest.raises(GlyphoneError, match=f"^sample {bad}: cannot be made$"):
            for row in range(20):
                made.matrix(row)
    assert not children()


def test_a_stream_beside_stored_samples_is_learnt_and_its_workers_change_nothing(tmp_path):
    one, two = run(tmp_path / "1", 1), run(tmp_path / "2", 2)
    assert one.progress.history == two.progress.history
    assert all(torch.equal(one.weights[name], two.weights[name]) for name in one.weights)
    long = TrainingSettings(**{**SETTINGS.model_dump(), "epochs": 12, "checkpoint_minutes": 9.0})
    alone = run(tmp_path / "3", 1, stored=0, chosen=long)
    assert alone.progress.best_error < 0.3 < alone.progress.history[0]["validation_cer"]
    assert multiprocessing.active_children() == []


def test_a_stream_is_mixed_with_others_also_where_processes_share_a_batch():
    """Each process asks for what it makes and for what others' samples it mixes in, in the order that it told."""
    chosen = TrainingSettings(**{**FAST.model_dump(), "epochs": 1, "mixup": 0.7, "consistency": 0.2})
    torch.manual_seed(3)
    network = Network(SMALL, 6, 4)

    def feed(rank: int, size: int) -> Feed:
        samples = beside(toy(20, 0), stream(1, num_epochs=1))
        return Feed(samples, Alphabet("abc"), network, chosen, noisy, 7, replace(ALONE, rank=rank, size=size))

    whole, half = feed(0, 1), feed(1, 2)
    half.expect(1)
    with half.samples.stream:
        for rows in half.plans[0][1:]:
            batch, part = whole.make(0, rows), half.make(0, rows)
            assert part.rows == batch.rows[part.first :] and part.num_views == 2
            assert torch.equal(part.seconds.weights, batch.seconds.weights[2 * part.first :])
            for place, length in enumerate(part.lengths):
                assert torch.equal(part.slices[place, :length], batch.slices[2 * part.first + place, :length])


def test_a_stream_with_joined_samples_is_refused():
    with pytest.raises(ValidationError, match=r"5 samples with joined 0\.3: .*; allowed: one of the two"):
        TrainingSettings.model_validate({"joined": 0.3, "stream": {"samples": 5}})


KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
def main():
    from pathlib import Path
    from tests import test_stream
    from common.training import loop
    steps = 0
    real = loop.step
    def step(*arguments):
        nonlocal steps
        steps += 1
        if steps == {kill_at}:
            print(*[each.pid for each in test_stream.children()], flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)
    loop.step = step
    test_stream.run(Path({state!r}))
if __name__ == "__main__":  # workers import this file too
    main()
"""


def test_killed_and_resumed_ends_in_the_same_weights_and_leaves_no_worker(tmp_path):
    whole = run(tmp_path / "whole")
    root, script = Path(__file__).parent.parent, tmp_path / "killed.py"
    script.write_text(KILLED.format(root=str(root), kill_at=5, state=str(tmp_path / "cut")), "utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=root)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (tmp_path / "cut" / "checkpoint.pt").is_file()
    workers = [int(each) for each in done.stdout.split()]
    assert workers
    deadline = time.monotonic() + 60
    while any(map(psutil.pid_exists, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(psutil.pid_exists, workers))
    resumed = run(tmp_path / "cut")
    assert resumed.progress.history == whole.progress.history
    assert all(torch.equal(whole.weights[name], resumed.weights[name]) for name in whole.weights)


@pytest.mark.parametrize("convolutions", [[], [{"stride": [2, 2]}] * 2, [{"stride": [3, 1], "pool": [2, 2]}]])
def test_no_more_slices_are_asked_for_than_the_text_needs(convolutions):
    each = {"channels": 2, "kernel": [5, 5]}
    chosen = NetworkSettings.model_validate({"convolutions": [each | change for change in convolutions]})
    network = Network(chosen, 40, 4)
    least = least_slices(network)
    for length in (1, 2, 63, 64, 65, 66, 130, 400):
        emitted = network.out_lengths(torch.tensor([least("a" * length) - 1, least("a" * length)])).tolist()
        needed = needed_slices("a" * length)
        assert emitted[0] < needed <= emitted[1]


@given(num=st.integers(1, 12), least=st.integers(0, 40))
@settings(max_examples=40)
def test_too_few_slices_are_drawn_out_between_their_ends(num, least):
    slices = np.random.default_rng(num).normal(size=(num, 3)).astype(np.float32)
    longer = drawn_out(slices, least)
    assert len(longer) == max(num, least)
    assert np.allclose(longer[0], slices[0]) and (longer.shape[0] == 1 or np.allclose(longer[-1], slices[-1]))
    assert longer.min() >= slices.min() - 1e-6 and longer.max() <= slices.max() + 1e-6


@pytest.mark.parametrize(
    ("name", "limits", "text", "most"),
    [
        ("ocr", {"max_width_px": 300}, "a line of seven words is drawn here", 300),
        ("audio", {"max_seconds": 1.0}, "seven words are said here, not quickly", 101),
    ],
)
def test_a_sample_that_is_too_long_with_all_chances_is_pressed_together(name, limits, text, most):
    """One that was too long eight times ended a training in its midst, and again at the same place."""
    kind = modality(name)
    reader = kind.corpora["synthetic"]
    make_it = partial(stream_making.make, module=MODULES[name])
    for number in range(4):
        sample = reader.recipe(reader.Settings(), 1, f"training/{number}", text)
        plain = make_it(Job(sample, 0), front=kind.SliceSettings())
        assert len(plain) > most
        short = make_it(Job(sample, 0), front=kind.SliceSettings(**limits))
        assert most / 3 < len(short) <= most and short.shape[1] == plain.shape[1]
        again = make_it(Job(sample, 0), front=kind.SliceSettings(**limits))
        assert np.array_equal(short, again)
    with pytest.raises(GlyphoneError, match=rf"text '{text}(, .*)?': .* {next(iter(limits))} allows {most // 100}"):
        make_it(Job(replace(sample, text=", ".join([text] * 20)), 0), front=kind.SliceSettings(**limits))


def test_a_text_that_is_too_long_is_told_before_the_training_and_not_in_its_midst():
    texts = dict.fromkeys((stream_id(0, place) for place in range(2000)), "a")
    longest = stream_id(0, 7)  # none of those that are made to learn how long texts become
    texts[longest] = "abc" * 3

    def long(sample_id: str) -> Sample:
        return replace(recipe(sample_id), text=texts[sample_id])

    with pytest.raises(GlyphoneError, match=f"^sample {longest}: cannot be made$"):
        Stream(2000, 1, long, partial(make, failing=longest), needed_slices, 1)


def test_samples_that_are_tried_out_show_no_bars(monkeypatch):
    """On a terminal a bar of one sample stood there for each of a batch."""
    monkeypatch.delenv("GLYPHONE_QUIET", raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("tqdm.tqdm", lambda *_, **options: pytest.fail(f"a bar of {options['total']}"))
    stream(num_samples=4, num_epochs=1).matrix(2)
