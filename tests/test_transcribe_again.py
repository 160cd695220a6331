"""transcribe -o called again: it goes on after a kill or an interrupt, and mixes no results of other calls."""

import array
import os
import signal
import subprocess
import sys
import time

import pytest

from common.errors import GlyphoneError
from pipelines import transcribe
from tests.test_transcribe import REPOSITORY, model, rows_of, sounds  # noqa: F401  (fixtures)

# ruff: noqa: F811  (fixtures)


def test_goes_on_where_it_stopped(model, sounds, tmp_path, capfd):
    whole, output = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    assert transcribe.main([str(model), str(sounds), "-o", str(whole), "--quiet"]) == 0
    assert transcribe.main([str(model), str(sounds / "0[0-4].wav"), "-o", str(output), "--quiet"]) == 0
    # A kill in the middle of a row leaves half of it, and perhaps half a line of the account.
    with open(output, "ab") as file:
        file.write(whole.read_bytes().splitlines()[5][:20])
    progress = tmp_path / "out.jsonl.progress"
    with open(progress, "ab") as file:
        file.write(b'{"byt')
    capfd.readouterr()
    assert transcribe.main([str(model), str(sounds), "-o", str(output)]) == 0
    assert "5 of 12 files are in" in capfd.readouterr().err
    assert output.read_bytes() == whole.read_bytes()
    # Once more: nothing to do, nothing changed.
    assert transcribe.main([str(model), str(sounds), "-o", str(output)]) == 0
    assert output.read_bytes() == whole.read_bytes()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_at_any_instant_it_ends_with_the_same_bytes(model, sounds, tmp_path):
    whole, output = tmp_path / "whole.csv", tmp_path / "out.csv"
    # Each file alone: among others the last digit of a confidence may be another.
    alone = ["--batch-frames", "1"]
    assert transcribe.main([str(model), str(sounds), "-o", str(whole), "--quiet", *alone]) == 0
    command = [sys.executable, "-m", "pipelines.transcribe", model, sounds, "-o", output, *alone]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL, cwd=REPOSITORY)
    while process.poll() is None and not (output.exists() and output.read_bytes().count(b"\n") > 4):
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert transcribe.main([str(model), str(sounds), "-o", str(output), "--quiet", *alone]) == 0
    assert output.read_bytes() == whole.read_bytes()


def test_interrupted_it_leaves_with_130_and_no_traceback(model, sounds, tmp_path):
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
    output = tmp_path / "out.txt"
    command = [sys.executable, "-m", "pipelines.transcribe", model, "-", "-o", output]
    process = subprocess.Popen(
        list(map(str, command)), stdin=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", cwd=REPOSITORY
    )
    process.stdin.write(f"{sounds / '10.wav'}\n")
    process.stdin.flush()
    waiting = array.array("i", [1])
    while waiting[0]:  # until it has read the line, and waits for the end of the list
        time.sleep(0.1)
        assert process.poll() is None
        fcntl.ioctl(process.stdin.fileno(), termios.FIONREAD, waiting)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in complaint and "Traceback" not in complaint


def test_other_formats_models_and_files_are_not_mixed(model, sounds, tmp_path):
    output = tmp_path / "results"
    arguments = [str(model), str(sounds / "00.wav"), "-o", str(output), "--quiet"]
    assert transcribe.main([*arguments, "-f", "csv"]) == 0
    with pytest.raises(GlyphoneError, match="begun with format csv, now it is jsonl"):
        transcribe.main([*arguments, "-f", "jsonl"])
    assert transcribe.main([*arguments, "-f", "jsonl", "--restart"]) == 0
    assert len(rows_of(output)) == 1
    output.write_bytes(output.read_bytes().replace(b"{", b"[", 1))
    with pytest.raises(GlyphoneError, match="changed since it was written"):
        transcribe.main([*arguments, "-f", "jsonl"])
    for place in (tmp_path, os.devnull):
        with pytest.raises(GlyphoneError, match="a folder or a device"):
            transcribe.main([str(model), str(sounds), "-o", str(place)])
    foreign = tmp_path / "diary.txt"
    foreign.write_text("Dear diary\n", encoding="utf-8")
    with pytest.raises(GlyphoneError, match=r"diary\.txt: exists"):
        transcribe.main([str(model), str(sounds), "-o", str(foreign)])
    assert foreign.read_text(encoding="utf-8") == "Dear diary\n"


def test_a_file_of_another_size_is_transcribed_anew(model, sounds, tmp_path):
    sound, output = tmp_path / "sound.wav", tmp_path / "out.jsonl"
    for number in (1, 2):
        sound.write_bytes((sounds / f"{number:02d}.wav").read_bytes())
        assert transcribe.main([str(model), str(sound), "-o", str(output), "--quiet"]) == 0
    assert len(rows_of(output)) == 2
