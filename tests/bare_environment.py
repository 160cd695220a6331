"""Run Python as if nothing but the packages of a lock were installed: all others are refused when they are imported."""

import re
import sys
from collections.abc import Iterable
from importlib.abc import MetaPathFinder
from importlib.metadata import packages_distributions
from pathlib import Path


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
