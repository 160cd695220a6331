"""What all tests share: one thread a worker, no calls home, and the folder of real corpora where there is one."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Before any test module imports numpy or torch: two workers with two threads each would wait for each other.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
# A shell that starts the tests in the background has them ignore Ctrl-C, and the commands under test would too.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")
# The servers of tests stand on this machine; what a person's shell says of proxies and bars is not of these tests.
for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GLYPHONE_QUIET"):
    os.environ.pop(variable, None)

# On a machine that others use too, time says nothing of an example.
settings.register_profile("glyphone", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("glyphone")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True, scope="session")
def _in_the_checkout() -> None:
    """Recipes and modules are looked for below the current folder, in processes too."""
    os.chdir(REPOSITORY)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real corpora: $GLYPHONE_DATA, else ../shared/data; tests that need it skip without."""
    folder = Path(os.environ.get("GLYPHONE_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"real corpora are not there: {folder} (set GLYPHONE_DATA)")
    return folder.resolve()
