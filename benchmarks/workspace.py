"""A second checkout beside the first: the working tree's files in a folder of their own, with their own DVC."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from common.errors import GlyphoneError

REPOSITORY = Path(__file__).resolve().parent.parent
WORKSPACES = REPOSITORY / ".work" / "benchmarks"
# What a run makes: never copied into a workspace, and kept there when the tree is copied again.
PRODUCTS = ("data", "models", "results", ".state", ".dvc/cache", ".dvc/tmp", ".git", ".work", "dvc.lock", "params.yaml")


def tracked_files(repository: Path = REPOSITORY) -> list[Path]:
    """Relative paths of all files that are tracked, or untracked and not ignored, and that exist."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=repository, env=environment(), capture_output=True, check=True).stdout
    names = listing.decode("utf-8", errors="surrogateescape").split("\0")
    return sorted({Path(name) for name in names if name and (repository / name).is_file()})


def is_product(path: Path, products: Iterable[str] = PRODUCTS) -> bool:
    """Is a relative path one of the products or below one?"""
    return any(path == Path(product) or path.is_relative_to(product) for product in products)


def copy_tree(target: Path, repository: Path = REPOSITORY, products: Iterable[str] = PRODUCTS) -> Path:
    """Make ``target`` hold the tree's files, the products aside: new and changed ones copied, stale ones deleted.

    Unchanged files keep their times, so that DVC need not hash them again.
    """
    products = tuple(products)
    wanted = {path for path in tracked_files(repository) if not is_product(path, products)}
    for path in sorted(wanted):
        source, copy = repository / path, target / path
        if copy.is_file() and copy.read_bytes() == source.read_bytes():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, copy)
    for folder, folders, names in os.walk(target):
        here = Path(folder).relative_to(target)
        folders[:] = [name for name in folders if not is_product(here / name) and name != "__pycache__"]
        for name in names:
            if not is_product(here / name) and here / name not in wanted:
                Path(folder, name).unlink()
    return target


def commit(folder: Path) -> None:
    """Make a folder a Git repository with its files in one commit: DVC wants one, and its diffs compare with HEAD."""
    if (folder / ".git").exists():
        return
    identity = ["-c", "user.name=Glyphone", "-c", "user.email=glyphone@localhost", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "copy of the working tree"]):
        call(["git", *arguments], folder)


def workspace(name: str) -> Path:
    """The workspace of that name, up to date with the working tree; what runs made there is still there."""
    folder = WORKSPACES / name
    folder.mkdir(parents=True, exist_ok=True)
    copy_tree(folder)
    commit(folder)
    return folder


def data_folder(repository: Path = REPOSITORY) -> Path:
    """The folder of real corpora: $GLYPHONE_DATA, else ../shared/data where that is, else corpora; absolute."""
    shared = repository / "../shared/data"
    return (repository / (os.environ.get("GLYPHONE_DATA") or (shared if shared.is_dir() else "corpora"))).resolve()


def environment(repository: Path = REPOSITORY) -> dict[str, str]:
    """The environment for commands in a workspace: this Python first on PATH, the corpora found from anywhere."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    variables["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), variables.get("PATH", os.defpath)])
    variables["DVC_NO_ANALYTICS"] = "1"
    variables.pop("PYTHONPATH", None)
    if data_folder(repository).is_dir():
        variables["GLYPHONE_DATA"] = str(data_folder(repository))
    return variables


def call(command: list[str], folder: Path) -> str:
    """Run a command in a workspace; its standard output. Standard error passes through.

    Raises:
        GlyphoneError: it failed; names the command, the folder and the exit code.
    """
    done = subprocess.run(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise GlyphoneError(
            f"`{' '.join(command)}` in {folder} ended with exit code {done.returncode}: {done.stdout.strip()[-500:]}"
        )
    return done.stdout
