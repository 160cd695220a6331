"""Run Python as if nothing but the packages of a lock were installed: all others are refused when they are imported."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.abc import MetaPathFinder
from importlib.metadata import packages_distributions
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
CODE = """
import json, sys
from pathlib import Path
from tests.bare_environment import refuse_all_but
refusal = refuse_all_but(Path(sys.argv[1]))
from pipelines import transcribe
from pipelines.recogniser import Recogniser
model, file, out = sys.argv[2:]
code = transcribe.main([model, file, "--quiet", "-o", out])
text = Recogniser.load(model, "cpu").transcribe(file).text
print(json.dumps([code, text, sorted(refusal.refused)]))
"""


def locked(lock: Path) -> set[str]:
    """Names of a lock's packages, as PyPI compares them."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)==", lock.read_text(encoding="utf-8"), re.M)
    return {_canonical(pin) for pin in pins}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class Refusal(MetaPathFinder):
    """Finds nothing, and refuses the modules that belong to no allowed package.

    Attributes:
        refused: names of modules that were asked for.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = set(allowed)
        self.owners = packages_distributions()
        self.refused: set[str] = set()

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        owners = self.owners.get(name.partition(".")[0], ())
        if owners and not any(_canonical(owner) in self.allowed for owner in owners):
            self.refused.add(name)
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def refuse_all_but(lock: Path) -> Refusal:
    """From here on, imports of packages that the lock does not name fail."""
    refusal = Refusal(locked(lock))
    sys.meta_path.insert(0, refusal)
    return refusal


def transcribed_with_nothing_but(lock: Path, model: Path, file: Path, out: Path) -> tuple[str, list[str]]:
    """Transcribe a file to ``out`` by the command and from Python, in a process that has a lock's packages alone.

    Returns:
        The text, and the modules that were asked for and refused.
    """
    done = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, (lock, model, file, out))],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    code, text, refused = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    return text, refused
