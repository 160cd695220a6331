"""How commands end: a user's mistake is one line and 2, Ctrl-C is 130, a bug keeps its traceback."""

import errno
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import GlyphoneError, SampleError, SettingsError, run
from common.samples import REASONS

ROOT = Path(__file__).parent.parent


def ends(error: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """Exit code and standard error of a command that raises."""

    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as end:
        run(main)
    captured = capsys.readouterr()
    assert captured.out == ""
    return end.value.code, captured.err


@pytest.mark.parametrize("code", [0, 1, 141, None])
def test_the_command_s_own_code(code: int | None) -> None:
    with pytest.raises(SystemExit) as end:
        run(lambda: code)
    assert end.value.code == (code or 0)


def test_a_user_s_mistake_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(GlyphoneError("a.yaml: 3 is too much"), capsys) == (2, "error: a.yaml: 3 is too much\n")
    assert ends(SampleError("unreadable", "a.wav: no sound"), capsys) == (2, "error: a.wav: no sound\n")
    assert ends(GlyphoneError("odd\nname.wav: no sound"), capsys) == (2, "error: odd name.wav: no sound\n")


def test_settings_are_a_line_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(SettingsError("a: wrong\nb: wrong"), capsys) == (2, "error: a: wrong\nb: wrong\n")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No space left on device"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "data/a"), "data/a: No space left on device"),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "data/a"), "data/a: Permission denied"),
        (FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), "data"), "data: a file; a folder is needed there"),
        (IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), "a"), "a: a folder; a file is needed there"),
    ],
)
def test_what_the_system_refuses_is_one_line(error: OSError, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(error, capsys) == (2, f"error: {line}\n")


def test_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = ends(KeyboardInterrupt(), capsys)
    assert code == 130
    assert said.startswith("interrupted") and said.count("\n") == 1


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), OSError("no number"), RuntimeError(), MemoryError()])
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    def main() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        run(main)
    assert caught.value is error


def test_a_missing_package_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = ends(ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn"), capsys)
    assert code == 2 and said.count("\n") == 1
    assert said.startswith(f"error: {sys.executable} has no package torch: call the command as .venv/bin/python")


@pytest.mark.parametrize("name", ["common.nothing", "pipelines", None])
def test_a_missing_module_of_our_own_keeps_its_traceback(name: str | None) -> None:
    test_a_bug_keeps_its_traceback(ModuleNotFoundError("no such module", name=name))


def test_as_a_process() -> None:
    for raised, code, lines in (
        ("GlyphoneError('no')", 2, 1),
        ("KeyboardInterrupt", 130, 1),
        ("ValueError('no')", 1, 6),
    ):
        text = f"from common.errors import *\ndef main():\n    raise {raised}\nrun(main)\n"
        done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == code
        assert ("Traceback" in done.stderr) == (code == 1)
        assert done.stderr.count("\n") == lines or code == 1


def test_a_reader_that_has_enough_is_no_error() -> None:
    """As of `python -m pipelines.compare A B | head`: not a word on standard error, not even from Python's own end."""
    text = "import sys\nfrom common.errors import run\nrun(lambda: print('x' * 200_000, flush=True))\n"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@settings(max_examples=40)
@given(st.sampled_from(sorted(REASONS)), st.text(max_size=30))
def test_a_sample_s_error_crosses_process_borders(code: str, sentence: str) -> None:
    copied = pickle.loads(pickle.dumps(SampleError(code, sentence)))
    assert (type(copied), copied.code, str(copied)) == (SampleError, code, sentence)


def test_one_base_class() -> None:
    assert issubclass(SettingsError, GlyphoneError) and issubclass(SampleError, GlyphoneError)
