"""What files allow to whom, also where the tests run as root, who may do everything."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534


@contextmanager
def anybody() -> Iterator[Path]:
    """A folder of one's own, as a user whom permissions bind; all in it is removed at the end."""
    if os.name != "posix":
        pytest.skip("this system has no such permissions")
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if user == 0:
            os.chown(folder, NOBODY, -1)
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(user)
            for path in (folder, *folder.rglob("*")):
                path.chmod(0o700)
