"""Set-up by ``make``: what it says before minutes of work that could not succeed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def setup(folder: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """``make setup`` in a folder of the Makefile and the locks alone, these scripts ahead of the machine's programs."""
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copytree(ROOT / "requirements", folder / "requirements")
    (folder / "programs").mkdir()
    for name, script in programs.items():
        (folder / "programs" / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / "programs" / name).chmod(0o755)
    path = f"{folder / 'programs'}:{os.environ['PATH']}"
    return subprocess.run(
        ["make", "setup"], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("free", [0, 1_600_000, 6_999_999])
def test_set_up_without_the_disk_for_it_is_one_line(tmp_path: Path, free: int) -> None:
    df = f"echo Filesystem 1024-blocks Used Available Capacity Mounted; echo /dev/vda 252000000 1 {free} 99% /"
    done = setup(tmp_path, df=df)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        f"error: set-up needs 7 GB of disk for {tmp_path}/.venv; {free // 1_000_000} GB are free"
    )
    assert not (tmp_path / ".venv").exists()


def test_set_up_without_a_python_it_runs_on_is_one_line(tmp_path: Path) -> None:
    old = "exit 2"
    done = setup(tmp_path, **{"python3.11": old, "python3.12": old, "python3": old})
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "error: Glyphone needs Python 3.11 or 3.12; none was found on PATH"
    assert not (tmp_path / ".venv").exists()
