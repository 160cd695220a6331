"""Several processes train as one does; one that is killed ends all, and any number of them goes on."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from test_training import FAST, run

from common.errors import GlyphoneError
from common.training.launch import launch
from common.training.settings import TrainingSettings

TESTS = Path(__file__).parent
CHOSEN = TrainingSettings(**{**FAST.model_dump(), "epochs": 2, "checkpoint_minutes": 0, "learning_rate": 1e-3})
SCRIPT = """
import os, signal, sys
sys.path[:0] = [{tests!r}, {root!r}]
from pathlib import Path
import torch
import test_training, test_training_processes
from common.errors import run
from common.training import checkpoint, loop, processes
processes.PATIENCE = __import__("datetime").timedelta(seconds=100)
if {blind!r} and os.environ["RANK"] == "1":
    checkpoint.load = lambda folder: None
steps = 0
real = loop.step
def step(*arguments):
    global steps
    steps += 1
    if steps == {kill_at} and os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)
loop.step = step
def main():
    trained = test_training.run(Path({state!r}), test_training_processes.CHOSEN)
    if os.environ["RANK"] == "0":
        torch.save((trained.progress.history, trained.weights), {state!r} + "/result.pt")
run(main)
"""


def command(state: Path, kill_at: int = 0, blind: bool = False) -> list[str]:
    """``blind``: the second process finds no checkpoint, as where another training writes the first one meanwhile."""
    script = SCRIPT.format(tests=str(TESTS), root=str(TESTS.parent), kill_at=kill_at, blind=blind, state=str(state))
    return [sys.executable, "-c", script]


def check_alike(history, weights, whole) -> None:
    for row, expected in zip(history, whole.progress.history, strict=True):
        assert row == pytest.approx(expected, rel=1e-3)
    for name, weight in whole.weights.items():
        torch.testing.assert_close(weights[name], weight, rtol=1e-2, atol=1e-3)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run(tmp_path_factory.mktemp("whole"), CHOSEN)


def test_two_processes_train_as_one(tmp_path, whole):
    assert launch(2, command(tmp_path)) == 0
    check_alike(*torch.load(tmp_path / "result.pt", weights_only=True), whole)


def test_a_killed_process_ends_all_and_another_number_goes_on(tmp_path, whole, capfd):
    with pytest.raises(GlyphoneError, match=r"process 2 of 2 was killed by SIGKILL.*the same command"):
        launch(2, command(tmp_path, kill_at=6))
    assert "Traceback" not in capfd.readouterr().err
    resumed = run(tmp_path, CHOSEN)
    assert "going on at epoch" in capfd.readouterr().err
    check_alike(resumed.progress.history, resumed.weights, whole)


def test_all_go_on_from_the_checkpoint_that_the_first_one_read(tmp_path, whole):
    with pytest.raises(GlyphoneError, match="was killed"):
        launch(2, command(tmp_path, kill_at=6))
    assert launch(2, command(tmp_path, blind=True)) == 0
    check_alike(*torch.load(tmp_path / "result.pt", weights_only=True), whole)


def test_a_damaged_checkpoint_is_told_once_and_all_end(tmp_path, capfd):
    """One process alone reads it; the others must not wait for what it cannot say."""
    with pytest.raises(GlyphoneError, match="process 2 of 2 was killed"):
        launch(2, command(tmp_path, kill_at=7))
    saved = bytearray((tmp_path / "checkpoint.pt").read_bytes())
    saved[100] ^= 1
    (tmp_path / "checkpoint.pt").write_bytes(saved)
    capfd.readouterr()
    assert launch(2, command(tmp_path)) == 2
    last = capfd.readouterr().err.splitlines()
    assert [line for line in last if "damaged; delete it" in line] == last[-1:]


def test_they_meet_wherever_temporary_files_lie(tmp_path, monkeypatch):
    """A path with a blank and letters beyond ASCII: as an address it would be another path."""
    folder = tmp_path / "ä b"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    code = (
        f"import sys; sys.path.insert(0, {str(TESTS.parent)!r})\n"
        "import torch\n"
        "from common.training import processes\n"
        "processes.PATIENCE = __import__('datetime').timedelta(seconds=100)\n"
        "group = processes.join(torch.device('cpu'))\n"
        "assert group.sum(torch.ones(1)).item() == 2\n"
        "processes.leave(group)  # as a training does: who ends without it may take the other one along\n"
    )
    assert launch(2, [sys.executable, "-c", code]) == 0


def test_the_first_failure_decides_and_nothing_is_left_over(tmp_path, monkeypatch, capfd):
    code = (
        "import os, sys, time\n"
        "open(os.environ['RANK'], 'w').write(str(os.getpid()))\n"
        "if os.environ['RANK'] == '1': sys.exit('broken')\n"
        "time.sleep(60)\n"
    )
    monkeypatch.chdir(tmp_path)
    assert launch(2, [sys.executable, "-c", code]) == 1
    assert "broken" in capfd.readouterr().err
    for rank in "01":
        if (tmp_path / rank).exists() and (text := (tmp_path / rank).read_text()):
            with pytest.raises(ProcessLookupError):
                os.kill(int(text), 0)


def test_processes_end_with_their_launcher(tmp_path):
    """Killed in a way that leaves it no time to clean up."""
    code = (
        "import sys; sys.path.insert(0, {root!r})\n"
        "from common.training.launch import launch\n"
        "launch(2, [sys.executable, '-c', {child!r}])\n"
    )
    child = (
        f"import sys; sys.path.insert(0, {str(TESTS.parent)!r})\n"
        "import os, threading, time\n"
        "from common.training.launch import hold_on_to_launcher\n"
        "hold_on_to_launcher()\n"
        # One write a line: print without a buffer takes two, and two processes mix theirs.
        "os.write(1, b'ready\\n'); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code.format(root=str(TESTS.parent), child=child)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as launcher:
        assert launcher.stdout is not None
        assert [launcher.stdout.readline() for _ in range(2)] == [b"ready\n"] * 2
        launcher.send_signal(signal.SIGKILL)
        assert launcher.stdout.read() == b""  # ends when nobody holds the other end any more


def test_the_line_on_a_killed_process_is_the_last_one():
    """Where the others hold semaphores, as workers of a stream do."""
    child = (
        "import multiprocessing, os, signal, time\n"
        "held = multiprocessing.get_context('spawn').Lock()\n"
        "if os.environ['RANK'] == '1': time.sleep(1); os.kill(os.getpid(), signal.SIGKILL)\n"
        "time.sleep(60)\n"
    )
    code = (
        f"import sys; sys.path.insert(0, {str(TESTS.parent)!r})\n"
        "from common.errors import run\n"
        "from common.training.launch import launch\n"
        f"run(lambda: launch(2, [sys.executable, '-c', {child!r}]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: process 2 of 2 was killed by SIGKILL") and done.stderr.count("\n") == 1
