"""Which files a user means: files, folders, globs, and lists on standard input."""

import glob
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

STANDARD_INPUT = "-"


def find_files(
    arguments: Iterable[str], suffixes: Collection[str], listed: Iterable[str] = ()
) -> tuple[list[str], dict[str, str]]:
    """Find the files that arguments name, each once, in the order of the arguments; those of a folder by path.

    A file that is named is taken whatever it is called; from a folder, at any depth, those with one of the suffixes,
    without hidden ones and what lies behind links to folders. A glob (``*``, ``?``, ``[…]``, ``**``) is one only where
    no file has that very name.

    Args:
        arguments: files, folders, globs; ``-`` stands for the lines of ``listed``, files or folders.
        suffixes: lower-case file endings, e.g. ``.wav``; letter case in file names makes no difference.
        listed: lines of standard input, line ends included; `find -print0` ends its paths with NUL instead.

    Returns:
        The paths; and what cannot be read or does not exist, path → reason.
    """
    reasons: dict[str, str] = {}
    paths: dict[str, str] = {}  # ./a.wav and a.wav are one file
    for argument in arguments:
        if argument == STANDARD_INPUT:
            named = _names(listed)
        elif not os.path.lexists(argument) and glob.has_magic(argument):
            named = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207  (Path.glob refuses absolute patterns)
            if not named:
                reasons[argument] = "no file matches"
        else:
            named = [argument]
        for name in named:
            for path in _expanded(name, suffixes, reasons):
                paths.setdefault(os.path.abspath(path), path)  # noqa: PTH100  (as bytes that are no text, too)
    return list(paths.values()), reasons


def _names(listed: Iterable[str]) -> list[str]:
    """Paths of a list: one a line; where NUL ends them, they may hold line ends themselves."""
    lines = list(listed)
    if "\0" in (whole := "".join(lines)):
        lines = whole.split("\0")
    return [name for line in lines if (name := line.rstrip("\r\n").removeprefix("\ufeff"))]


def _expanded(name: str, suffixes: Collection[str], reasons: dict[str, str]) -> Iterator[str]:
    if not os.path.isdir(name):  # noqa: PTH112  (Path would raise for a name that is too long)
        yield name  # if it does not exist, reading it says so
        return

    def note(error: OSError) -> None:
        reasons[str(error.filename)] = error.strerror or str(error)

    num_files = 0
    for folder, folders, files in os.walk(name, onerror=note):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for file in sorted(files):
            if Path(file).suffix.lower() in suffixes and not file.startswith("."):
                num_files += 1
                yield os.path.join(folder, file)  # noqa: PTH118  (Path would drop a leading ./)
    if not num_files and name not in reasons:
        reasons[name] = f"a folder without files that end in {', '.join(sorted(suffixes))}"
