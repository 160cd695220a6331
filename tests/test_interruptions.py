"""Commands that are cut short: full disk, Ctrl-C, kill, two at once. As processes, on the toy modality.

However a command ends: no half file under a final name, one line for the user, no process left over; and the same
command afterwards gives the same bytes as one that nobody disturbed.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from common.bundle import read_bundle
from tests.toy.modality import READ_SECONDS
from tests.toy.workspace import manifest, rows, write_corpus, write_params

ROOT = Path(__file__).parent.parent
STAGES = ("prepare", "extract", "train", "evaluate")
PATIENCE_S = 240  # a machine may have other work
# Larger than what is read while a command starts, smaller than any output of interest.
FULL_BYTES = 500
# What the clock has a part in.
TIMED = {"results/toy/training.json"}
NETWORK = {"convolutions": [{"channels": 4}], "num_layers": 1, "num_hidden": 8, "cell": "gru"}
TRAINING = {"epochs": 40, "num_threads": 1, "precision": "float32", "patience": 0}

Contents = dict[str, bytes]


def start(
    folder: Path, *arguments: str | Path, read_seconds: float = 0, max_file_bytes: int | None = None
) -> subprocess.Popen[str]:
    """A command of the toy in a session of its own, so that its process group tells who is left."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    environment |= {READ_SECONDS: str(read_seconds)}
    environment.pop("TQDM_DISABLE", None)  # the bar says when the work begins

    def limit() -> None:
        if max_file_bytes is not None:
            # As on a full disk: writing fails, and says so with an error of its own.
            resource.setrlimit(resource.RLIMIT_FSIZE, (max_file_bytes, max_file_bytes))

    return subprocess.Popen(
        [sys.executable, "-m", "tests.toy.command", *map(str, arguments)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=limit,
    )


def finish(process: subprocess.Popen[str], code: int) -> str:
    """The last line on standard error of a command that must end with this code, and without a traceback."""
    try:
        _, complaint = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:  # left alone it would be found by other tests
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    assert process.returncode == code, complaint
    assert "Traceback" not in complaint and "Exception" not in complaint
    return (complaint.splitlines() or [""])[-1]


def run(folder: Path, *arguments: str | Path) -> None:
    finish(start(folder, *arguments), 0)


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        assert process is None or process.poll() is None, "it ended too early: " + process.communicate()[1]
        time.sleep(0.005)


def is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def contents(folder: Path) -> Contents:
    """All files that stages wrote, hidden and temporary ones too."""
    tops = [folder / top for top in ("data", "models", "results")]
    files = [path for top in tops for path in top.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def untimed(files: Contents) -> Contents:
    return {name: data for name, data in files.items() if name not in TIMED}


def make_workspace(folder: Path) -> Path:
    folder.mkdir()
    write_corpus(folder / "corpus", rows(12, 4))
    write_params(folder, [manifest()], network=NETWORK, training=TRAINING, evaluate={"bootstrap_samples": 20})
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Contents]:
    """Stage → contents of a workspace after it; the empty name before all."""
    folder = make_workspace(tmp_path_factory.mktemp("undisturbed") / "workspace")
    after = {"": contents(folder)}
    for stage in STAGES:
        run(folder, stage, "toy")
        after[stage] = contents(folder)
    return after


@pytest.fixture
def before(tmp_path: Path, undisturbed: dict[str, Contents]) -> Callable[[str], Path]:
    """Makes a workspace in which all stages before the named one ran."""

    def make(stage: str) -> Path:
        folder = make_workspace(tmp_path / "workspace")
        for name, data in undisturbed[("", *STAGES)[STAGES.index(stage)]].items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return folder

    return make


def check_whole(folder: Path, stage: str, undisturbed: dict[str, Contents], leftovers: bool = False) -> None:
    """Every file that is there has its final content."""
    for name, data in contents(folder).items():
        if not (leftovers and name.endswith(".part")):
            assert name in TIMED or data == undisturbed[stage][name], name


def check_again(folder: Path, stage: str, undisturbed: dict[str, Contents]) -> None:
    """The same command once more gives what an undisturbed one does, and nothing else lies about."""
    run(folder, stage, "toy")
    assert untimed(contents(folder)) == untimed(undisturbed[stage])


def check_full_disk(folder: Path, stage: str, undisturbed: dict[str, Contents]) -> None:
    """The command ends with one line that names the file, and leaves nothing that is not whole."""
    line = finish(start(folder, stage, "toy", max_file_bytes=FULL_BYTES), 2)
    assert line.startswith("error: ") and line.endswith(": File too large")
    assert (folder / line.removeprefix("error: ").removesuffix(": File too large")).parent.is_dir()
    check_whole(folder, stage, undisturbed)
    assert not list(folder.rglob("*.part"))


@pytest.mark.parametrize("stage", ["prepare", "extract", "evaluate"])
def test_a_full_disk(stage: str, before: Callable[[str], Path], undisturbed: dict[str, Contents]) -> None:
    folder = before(stage)
    check_full_disk(folder, stage, undisturbed)
    if stage != "evaluate":  # which starts from nothing anyway, and takes its time
        check_again(folder, stage, undisturbed)


# A terminal signals all processes of the command, `kill -INT` one.
@pytest.mark.parametrize(
    ("stage", "delay_s", "all_of_them"),
    [("prepare", 0.8, False), ("extract", 0.0, False), ("extract", 0.8, True)],
)
def test_ctrl_c(
    stage: str, delay_s: float, all_of_them: bool, before: Callable[[str], Path], undisturbed: dict[str, Contents]
) -> None:
    folder = before(stage)
    process = start(folder, stage, "toy", "--num-workers", "2", read_seconds=0.2)
    assert process.stderr is not None and process.stderr.read(1)  # the bar: it is at work
    time.sleep(delay_s)
    (os.killpg if all_of_them else os.kill)(process.pid, signal.SIGINT)
    assert finish(process, 130) == "interrupted: start the same command again"
    wait_until(lambda: is_gone(process.pid))
    check_whole(folder, stage, undisturbed)
    check_again(folder, stage, undisturbed)


@pytest.mark.parametrize("stage", ["prepare", "extract"])
def test_kill(stage: str, before: Callable[[str], Path], undisturbed: dict[str, Contents]) -> None:
    folder = before(stage)
    process = start(folder, stage, "toy", "--num-workers", "2", read_seconds=0.2)
    assert process.stderr is not None and process.stderr.read(1)
    time.sleep(0.8)
    process.kill()
    process.communicate()
    wait_until(lambda: is_gone(process.pid))
    check_whole(folder, stage, undisturbed, leftovers=True)
    check_again(folder, stage, undisturbed)


def newest_checkpoint(folder: Path) -> int:
    """When it was written, in ns; 0 where there is none."""
    return max((path.stat().st_mtime_ns for path in folder.glob(".state/toy/*/checkpoint.pt")), default=0)


def test_training_goes_on_after_a_full_disk_ctrl_c_and_kill(
    before: Callable[[str], Path], undisturbed: dict[str, Contents]
) -> None:
    folder = before("train")
    check_full_disk(folder, "train", undisturbed)
    begun = 0
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        process = start(folder, "train", "toy")
        wait_until(lambda since=begun: newest_checkpoint(folder) > since, process)
        process.send_signal(number)
        _, complaint = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == code and "Traceback" not in complaint, complaint
        check_whole(folder, "train", undisturbed)
        begun = newest_checkpoint(folder)
    again = start(folder, "train", "toy")
    _, said = again.communicate(timeout=PATIENCE_S)
    assert again.returncode == 0 and ("going on at epoch" in said or "was through with epoch" in said)
    assert untimed(contents(folder)) == untimed(undisturbed["train"])


def test_the_stage_starts_its_processes_and_one_of_them_writes(before: Callable[[str], Path]) -> None:
    folder = before("train")
    write_params(folder, [manifest()], network=NETWORK, training={**TRAINING, "epochs": 2, "processes": 2})
    run(folder, "train", "toy")
    assert json.loads((folder / "results" / "toy" / "training.json").read_bytes())["num_processes"] == 2
    assert len(read_bundle(folder / "models" / "toy").alphabet) == 3
    assert len((folder / "results" / "toy" / "history.csv").read_text("utf-8").splitlines()) == 3


@pytest.mark.parametrize("stage", ["prepare", "extract"])
def test_two_at_once(stage: str, before: Callable[[str], Path], undisturbed: dict[str, Contents]) -> None:
    folder = before(stage)
    for process in [start(folder, stage, "toy", "--num-workers", "1", read_seconds=0.01) for _ in range(2)]:
        finish(process, 0)
    assert untimed(contents(folder)) == untimed(undisturbed[stage])


# Transcribing: a file grows row by row.

# Among others the last digit of a file's confidence may be another.
ALONE = ("--batch-frames", "1")


@pytest.fixture
def model(before: Callable[[str], Path]) -> Path:
    return before("evaluate") / "models" / "toy"


@pytest.fixture
def transcribed(model: Path, tmp_path: Path) -> bytes:
    """What an undisturbed run writes."""
    run(tmp_path, "transcribe", model, "workspace/corpus", "-o", "undisturbed.jsonl", *ALONE)
    data = (tmp_path / "undisturbed.jsonl").read_bytes()
    assert data.count(b"\n") == 48
    return data


def test_transcribing_goes_on_after_everything(model: Path, tmp_path: Path, transcribed: bytes) -> None:
    """Ctrl-C, then a second one at once, a kill, a full disk: each ends as it should, and no row is lost."""
    output = tmp_path / "out.jsonl"
    command = ("transcribe", model, "workspace/corpus", "-o", output, *ALONE)

    process = start(tmp_path, *command, read_seconds=0.2)  # so that the second comes before its end
    wait_until(lambda: output.exists() and output.read_bytes().count(b"\n") >= 3, process)
    line = finish(start(tmp_path, *command), 2)
    assert line == f"error: {output}: another process is writing it now"
    process.send_signal(signal.SIGINT)
    assert finish(process, 130).startswith("interrupted")
    num_rows = output.read_bytes().count(b"\n")
    assert 3 <= num_rows < 48

    process = start(tmp_path, *command, read_seconds=0.02)
    wait_until(lambda: output.read_bytes().count(b"\n") > num_rows, process)
    process.kill()
    process.communicate()
    assert transcribed.startswith(output.read_bytes()[: output.read_bytes().rfind(b"\n") + 1])

    size = output.stat().st_size
    for limit in (size + 10, 0):  # between two rows, and before the first byte of the account
        line = finish(start(tmp_path, *command, max_file_bytes=limit), 2)
        assert line == f"error: {output}: cannot be written: File too large; the same command goes on there"
    run(tmp_path, *command)
    assert output.read_bytes() == transcribed


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_standard_output(model: Path, tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "tests.toy.command", "transcribe", model, "workspace/corpus", "--quiet"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (process.returncode, process.stderr) == (2, "error: No space left on device\n")


# DVC: the second of two runs says that the first is at work, and changes nothing.

SLOW_STAGE = """stages:
  slow:
    cmd: >-
      python -c "import time, pathlib; pathlib.Path('begun').touch();
      [time.sleep(0.05) for _ in range(2000) if not pathlib.Path('go').exists()]; pathlib.Path('out').touch()"
    outs: [out]
"""


def test_a_second_repro_says_that_the_first_is_at_work(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}

    def dvc(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "dvc", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )

    said, _ = dvc("init", "--no-scm", "--quiet").communicate(timeout=PATIENCE_S)
    assert (tmp_path / ".dvc").is_dir(), said
    with open(tmp_path / ".dvc" / "config", "a") as file:
        file.write("    analytics = false\n    check_update = false\n")
    (tmp_path / "dvc.yaml").write_text(SLOW_STAGE, "utf-8")
    first = dvc("repro")
    wait_until((tmp_path / "begun").exists)
    second = dvc("repro")
    said, _ = second.communicate(timeout=PATIENCE_S)
    (tmp_path / "go").touch()
    assert second.returncode != 0
    assert "busy" in said or "lock" in said
    assert "Traceback" not in said
    said, _ = first.communicate(timeout=PATIENCE_S)
    assert first.returncode == 0, said
    assert (tmp_path / "out").exists()
