"""The tests of a GPU on a device in name alone: nothing on it meets what is on the CPU."""

import os
import re
import subprocess
import sys

import pytest
from torch.utils import backend_registration


@pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"), reason="torch is too old for it"
)
def test_no_tensor_stands_on_the_wrong_device(repository):
    options = ["-p", "no:xdist", "-p", "no:cacheprovider", "-p", "tests.far_device"]
    options += ["-k", "not learns_as"]  # long, and of what the resumed training does too
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "tests/test_cuda.py"],
        cwd=repository,
        env={**os.environ, "GLYPHONE_TEST_DEVICE": "far", "CUDA_VISIBLE_DEVICES": ""},  # auto would take a GPU
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 50
