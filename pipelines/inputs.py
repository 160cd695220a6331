"""Which files a user means: files, folders, globs, and lists on standard input."""

import glob
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from common.errors import GlyphoneError
from common.wording import plural

STANDARD_INPUT = "-"
MOST_ENDINGS, MOST_LINKS, MOST_CHARACTERS = 8, 3, 40  # that a message names


class Found(NamedTuple):
    """What arguments name.

    Attributes:
        paths: each once.
        reasons: what cannot be read or does not exist, path → reason.
        passed_over: files of folders that were not taken, by their ending in lower case; "" for none.
        links: to folders, in folders: they are not followed.
    """

    paths: list[str]
    reasons: dict[str, str]
    passed_over: Counter[str]
    links: Sequence[str] = ()

    def sentence(self) -> str:
        """On what was passed over; empty where nothing was."""
        return "\n".join(filter(None, (self._on_files(), self._on_links())))

    def _on_links(self) -> str:
        if not self.links:
            return ""
        shown = ", ".join(self.links[:MOST_LINKS])
        more = f" and {len(self.links) - MOST_LINKS} more" if len(self.links) > MOST_LINKS else ""
        return f"links to folders are not followed: {shown}{more}; one that is named itself is"

    def _on_files(self) -> str:
        if not self.passed_over:
            return ""
        kinds = sorted(self.passed_over.items(), key=lambda pair: (-pair[1], pair[0]))
        shown = [f"{ending or 'without an ending'} ({count})" for ending, count in kinds[:MOST_ENDINGS]]
        more = f" and {len(kinds) - MOST_ENDINGS} more" if len(kinds) > MOST_ENDINGS else ""
        number = self.passed_over.total()
        which = "file in folders is passed over for its ending", "files in folders are passed over for their endings"
        what = plural(number, *which)
        return f"{what}: {', '.join(shown)}{more}; one that is named itself is tried"


def find_files(arguments: Iterable[str], suffixes: Collection[str], listed: Iterable[str] = ()) -> Found:
    """Find the files that arguments name, each once, in the order of the arguments; those of a folder by path.

    A file that is named is taken whatever it is called; from a folder, at any depth, those with one of the suffixes,
    without hidden ones and what lies behind links to folders. A glob (``*``, ``?``, ``[…]``, ``**``) is one only where
    no file has that very name.

    Args:
        arguments: files, folders, globs; ``-`` stands for the lines of ``listed``, files or folders.
        suffixes: lower-case file endings, e.g. ``.wav``; letter case in file names makes no difference.
        listed: lines of standard input, line ends included; `find -print0` ends its paths with NUL instead.

    Raises:
        GlyphoneError: standard input is no list, but a sound or a picture itself.
    """
    passed_over: Counter[str] = Counter()
    links: list[str] = []
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
            for path in _expanded(name, suffixes, reasons, passed_over, links):
                paths.setdefault(os.path.abspath(path), path)  # noqa: PTH100  (as bytes that are no text, too)
    return Found(list(paths.values()), reasons, passed_over, tuple(links))


def _names(listed: Iterable[str]) -> list[str]:
    """Paths of a list: one a line; where NUL ends them, they may hold line ends themselves.

    Raises:
        GlyphoneError: there is NUL, and what stands before the first is no file: `cat talk.wav | …`.
    """
    lines = list(listed)
    has_nul = "\0" in (whole := "".join(lines))
    if has_nul:
        lines = whole.split("\0")
    names = [name for line in lines if (name := line.rstrip("\r\n").removeprefix("\ufeff"))]
    if has_nul and not os.path.lexists(first := (names or [""])[0]):
        raise GlyphoneError(
            f"standard input: a list of paths is needed, and {first[:MOST_CHARACTERS]!a} is no file: "
            "give a sound or a picture by its path"
        )
    return names


def _expanded(
    name: str, suffixes: Collection[str], reasons: dict[str, str], passed_over: Counter[str], links: list[str]
) -> Iterator[str]:
    if not os.path.isdir(name):  # noqa: PTH112  (Path would raise for a name that is too long)
        yield name  # if it does not exist, reading it says so
        return

    def note(error: OSError) -> None:
        reasons[str(error.filename)] = error.strerror or str(error)

    num_files = 0
    for folder, folders, files in os.walk(name, onerror=note):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        links += filter(os.path.islink, (os.path.join(folder, each) for each in folders))  # noqa: PTH118
        for file in sorted(file for file in files if not file.startswith(".")):
            if (ending := Path(file).suffix.lower()) not in suffixes:
                passed_over[ending] += 1
            else:
                num_files += 1
                yield os.path.join(folder, file)  # noqa: PTH118  (Path would drop a leading ./)
    if not num_files and name not in reasons:
        reasons[name] = f"a folder without files that end in {', '.join(sorted(suffixes))}"
