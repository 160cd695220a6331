"""Where transcripts go: rows of one file or of standard output, or a file for each input in a folder."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from common.errors import GlyphoneError
from common.files import to_json, write_text
from common.journal import Journal
from common.output import FORMATS, result_row, shown
from common.writers import WRITERS, Transcript, Writer

if TYPE_CHECKING:
    from pipelines.recogniser import Result

# Between the two halves of a key in the account of a folder: no path holds it.
_PARTED = "\0"


def choose_format(name: str | None, output: Path | None, unit: str) -> str:
    """The format that is meant: named, else by the ending of the output, ``txt`` where it has none.

    Raises:
        GlyphoneError: no such format for places in this unit, none or several with that ending.
    """
    writers = WRITERS.get(unit, {})
    formats = [*FORMATS, *writers]
    if name is not None:
        if name not in formats:
            raise GlyphoneError(f"format {name!r}: this model's are {', '.join(formats)}")
        return name
    ending = output.suffix.lower() if output else ""
    endings = {each: {f".{each}"} for each in formats}
    for each, writer in writers.items():
        endings[each].add(writer.suffix.lower())
    fitting = [each for each in formats if ending in endings[each]]
    if len(fitting) > 1:
        raise GlyphoneError(f"{output}: may be {' or '.join(fitting)}; say which with -f")
    if ending and not fitting:
        raise GlyphoneError(f"{output}: no format ends in {ending!r}; say which with -f: {', '.join(formats)}")
    return fitting[0] if fitting else "txt"


def names_of(paths: Sequence[str]) -> dict[str, str]:
    """Path → what it is called in results: below the folder that all paths share, without its ending.

    Raises:
        GlyphoneError: two files have one name.
    """
    if not paths:
        return {}
    whole = {path: os.path.abspath(path) for path in paths}  # noqa: PTH100  (as bytes that are no text, too)
    try:
        top = os.path.commonpath([os.path.dirname(each) for each in whole.values()])  # noqa: PTH120
    except ValueError:
        raise GlyphoneError("files on several drives have no folder in common: transcribe each drive's alone") from None
    names = {path: os.path.splitext(os.path.relpath(each, top))[0] for path, each in whole.items()}  # noqa: PTH122
    _check_distinct(names, whole)
    return {path: name.replace(os.sep, "/") for path, name in names.items()}


def _check_distinct(names: Mapping[str, str], whole: Mapping[str, str]) -> None:
    first: dict[str, str] = {}
    for path, name in names.items():
        other = first.setdefault(name, path)
        if whole[other] != whole[path]:
            raise GlyphoneError(
                f"{shown(other)} and {shown(path)} would both be called {shown(name)!r}; transcribe them one by one"
            )


class Rows:
    """One file, or standard output, with a row or some lines for each input; goes on with what is there.

    Args:
        output: None for standard output.
        origin: what must be the same to go on.
    """

    def __init__(
        self, form: str, unit: str, paths: Sequence[str], output: Path | None, origin: Mapping[str, str], restart: bool,
        show: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._unit = unit
        self._show = show
        self._writer = WRITERS.get(unit, {}).get(form)
        self._names: dict[str, str] = {}
        self._done: set[tuple[str, int]] = set()
        self._owners: dict[str, tuple[str, int]] = {}  # of a table: a name → the input, and its size, of that name
        self._header = ""
        if self._writer is None:
            self._row = FORMATS[form].row
            self._header = FORMATS[form].header
        else:
            whole = {path: os.path.abspath(path) for path in paths}  # noqa: PTH100
            self._names = names_of(paths)
            _check_distinct({path: self._writer.file_name(shown(each)) for path, each in self._names.items()}, whole)
        self._journal = Journal(output, self._header, origin, restart) if output else None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._journal is not None:
            self._stack.enter_context(self._journal)
            for key, size in self._journal.entries:
                path, _, name = key.partition(_PARTED)
                self._done.add((path, size))
                self._owners[name] = path, size
            self._refuse_other_owners()
        elif self._header:
            self._show(self._header)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def _refuse_other_owners(self) -> None:
        """A table calls each input by a name: one name must not mean two of them, or one before and after a change."""
        for path in self._names:
            name = self._name(path)
            owner, size = self._owners.get(name, (shown(path), size_of(path)))
            if not (is_same := _same(owner, shown(path))) or size != size_of(path):
                self._stack.close()
                place = self._journal.path if self._journal else ""
                also = "and has another size now" if is_same else f"{shown(path)} would be called so too"
                raise GlyphoneError(f"{place}: {name} is {owner} there, {also}; name another file, or --restart")

    def todo(self, paths: Sequence[str]) -> list[str]:
        """The paths that have no row yet."""
        if self._journal is None:
            return list(paths)
        return [path for path in paths if (shown(path), size_of(path)) not in self._done and not self._has_name(path)]

    def add(self, result: "Result") -> None:
        assert result.hypothesis is not None
        if self._writer is None:
            text = self._row(result_row(result.path, result.hypothesis, self._unit))
        else:
            text = self._writer.write(transcript_of(result, self._names[result.path]))
        if self._journal is None:
            self._show(text)
        else:
            self._journal.add([(self._key(result.path), size_of(result.path), text)])

    def _key(self, path: str) -> str:
        """The input, and what a table calls it."""
        return shown(path) if self._writer is None else shown(path) + _PARTED + self._name(path)

    def _has_name(self, path: str) -> bool:
        """Whether it stands in a table that calls it by another path: ./a.wav for a.wav."""
        return self._writer is not None and self._name(path) in self._owners

    def _name(self, path: str) -> str:
        assert self._writer is not None
        return self._writer.file_name(shown(self._names[path]))


class Documents:
    """A file for each input, written whole or not at all; a hidden file beside them keeps the account.

    ``-o talk.srt`` names the file of a single input, anything else the folder. Files that this account does not know,
    or knows as another input's, are never written over.
    """

    def __init__(
        self, form: str, writer: Writer, paths: Sequence[str], output: Path, origin: Mapping[str, str], restart: bool
    ) -> None:
        self._writer = writer
        self._names = names_of(paths)
        self._restart = restart
        if output.suffix.lower() == writer.suffix.lower() and not output.is_dir():
            if len(paths) > 1:
                raise GlyphoneError(f"{output}: names one file, there are {len(paths)} inputs; name a folder")
            self._folder, self._files = output.parent, dict.fromkeys(paths, output.name)
            account = f".transcribed-{form}-{output.name}"  # other files of the folder may be of other models
        else:
            if output.exists() and not output.is_dir():
                raise GlyphoneError(f"{output}: a file; format {form} writes a file for each input, name a folder")
            self._folder, account = output, f".transcribed-{form}"
            self._files = {path: name + writer.suffix for path, name in self._names.items()}
        self._journal = Journal(self._folder / account, "", origin, restart)
        self._owners: dict[str, tuple[str, int]] = {}  # file → the input, and its size, that was written last
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._journal)
            for key, size in self._journal.entries:
                path, _, file = key.rpartition(_PARTED)
                self._owners[file] = (path, size)
            self._refuse_other_owners()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def _refuse_other_owners(self) -> None:
        """No file of somebody else, or of another input, is written over."""
        for path, name in self._files.items():
            if self._restart or not (self._folder / name).exists():
                continue
            owner, _ = self._owners.get(shown(name), ("", 0))
            if not owner or not _same(owner, shown(path)):
                whose = f"is the transcript of {owner}" if owner else "exists, and was not written by this command"
                raise GlyphoneError(f"{shown(self._folder / name)}: {whose}; name another folder, or --restart")

    def todo(self, paths: Sequence[str]) -> list[str]:
        """The paths whose file is not there yet."""
        return [
            path
            for path in paths
            if self._owners.get(shown(self._files[path])) != (shown(path), size_of(path))
            or not (self._folder / self._files[path]).exists()
        ]

    def add(self, result: "Result") -> None:
        path = result.path
        target = self._folder / self._files[path]
        row = to_json({"path": shown(path), "file": shown(self._files[path])}) + "\n"
        try:
            # A kill between these steps leaves no file under an account that calls it done.
            target.unlink(missing_ok=True)
            size = size_of(path)
            self._journal.add([(self._key(path), size, row)])
            self._owners[shown(self._files[path])] = (shown(path), size)
            write_text(target, self._writer.write(transcript_of(result, self._names[path])))
        except OSError as error:
            reason = error.strerror or str(error)
            raise GlyphoneError(f"{shown(target)}: cannot be written: {reason}; the same command goes on") from None

    def _key(self, path: str) -> str:
        return shown(path) + _PARTED + shown(self._files[path])


def transcript_of(result: "Result", name: str) -> Transcript:
    assert result.hypothesis is not None
    return Transcript(shown(result.path), shown(name), result.hypothesis, result.length, result.height, result.turned)


def _same(one: str, other: str) -> bool:
    return os.path.abspath(one) == os.path.abspath(other)  # noqa: PTH100


def _the_same_file(output: Path, paths: Sequence[str]) -> str:
    """The input that the output would take the place of, under whatever name; empty where there is none."""
    if not output.is_file():
        return ""
    there = output.stat()
    for path in paths:
        with suppress(OSError):
            if os.path.samestat(there, os.stat(path)):  # noqa: PTH116  (a path may hold bytes that are no text)
                return path
    return ""


def size_of(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116  (a path may hold bytes that are no text)
    except OSError:
        return -1


def open_output(
    form: str,
    unit: str,
    paths: Sequence[str],
    output: Path | None,
    origin: Mapping[str, str],
    restart: bool,
    show: Callable[[str], None],
) -> Rows | Documents:
    """What takes the results; a context manager.

    Args:
        show: writes to standard output.

    Raises:
        GlyphoneError: several inputs for a format of a file each, and no folder named; the output is an input.
    """
    writer = WRITERS.get(unit, {}).get(form)
    if writer is None or writer.is_table or (output is None and len(paths) <= 1):
        if output is not None and (named := _the_same_file(output, paths)):
            raise GlyphoneError(f"{output}: is the input {shown(named)}; name another file for the results")
        return Rows(form, unit, paths, output, origin, restart, show)
    if output is None:
        raise GlyphoneError(f"format {form} writes a file for each of the {len(paths)} inputs: name a folder with -o")
    return Documents(form, writer, paths, output, origin, restart)
